
#undef own

#endif /* STEPWELL_H */
