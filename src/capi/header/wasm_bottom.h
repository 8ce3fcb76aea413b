
#ifdef __cplusplus
extern "C" {
#endif

/* ---- Shorthands ---- */

/** A name from a C string, without its NUL. */
static inline void wasm_name_new_from_string(own wasm_name_t *out, const char *s) {
  wasm_byte_vec_new(out, strlen(s), s);
}

/** A name or message from a C string, with its NUL. */
static inline void wasm_name_new_from_string_nt(own wasm_name_t *out, const char *s) {
  wasm_byte_vec_new(out, strlen(s) + 1, s);
}

/** Whether a kind of value is a number. */
static inline bool wasm_valkind_is_num(wasm_valkind_t k) {
  return k < WASM_EXTERNREF;
}

/** Whether a kind of value is a reference. */
static inline bool wasm_valkind_is_ref(wasm_valkind_t k) {
  return k >= WASM_EXTERNREF;
}

/** Whether a value type is a number's. */
static inline bool wasm_valtype_is_num(const wasm_valtype_t *t) {
  return wasm_valkind_is_num(wasm_valtype_kind(t));
}

/** Whether a value type is a reference's. */
static inline bool wasm_valtype_is_ref(const wasm_valtype_t *t) {
  return wasm_valkind_is_ref(wasm_valtype_kind(t));
}

static inline own wasm_valtype_t *wasm_valtype_new_i32(void) {
  return wasm_valtype_new(WASM_I32);
}

static inline own wasm_valtype_t *wasm_valtype_new_i64(void) {
  return wasm_valtype_new(WASM_I64);
}

static inline own wasm_valtype_t *wasm_valtype_new_f32(void) {
  return wasm_valtype_new(WASM_F32);
}

static inline own wasm_valtype_t *wasm_valtype_new_f64(void) {
  return wasm_valtype_new(WASM_F64);
}

static inline own wasm_valtype_t *wasm_valtype_new_externref(void) {
  return wasm_valtype_new(WASM_EXTERNREF);
}

static inline own wasm_valtype_t *wasm_valtype_new_funcref(void) {
  return wasm_valtype_new(WASM_FUNCREF);
}

static inline own wasm_functype_t *wasm_functype_new_0_0(void) {
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new_empty(&params);
  wasm_valtype_vec_new_empty(&results);
  return wasm_functype_new(&params, &results);
}

static inline own wasm_functype_t *wasm_functype_new_1_0(own wasm_valtype_t *p1) {
  wasm_valtype_vec_t params, results;
  wasm_valtype_t *ps[1];
  ps[0] = p1;
  wasm_valtype_vec_new(&params, 1, ps);
  wasm_valtype_vec_new_empty(&results);
  return wasm_functype_new(&params, &results);
}

static inline own wasm_functype_t *wasm_functype_new_2_0(
  own wasm_valtype_t *p1, own wasm_valtype_t *p2
) {
  wasm_valtype_vec_t params, results;
  wasm_valtype_t *ps[2];
  ps[0] = p1;
  ps[1] = p2;
  wasm_valtype_vec_new(&params, 2, ps);
  wasm_valtype_vec_new_empty(&results);
  return wasm_functype_new(&params, &results);
}

static inline own wasm_functype_t *wasm_functype_new_3_0(
  own wasm_valtype_t *p1, own wasm_valtype_t *p2, own wasm_valtype_t *p3
) {
  wasm_valtype_vec_t params, results;
  wasm_valtype_t *ps[3];
  ps[0] = p1;
  ps[1] = p2;
  ps[2] = p3;
  wasm_valtype_vec_new(&params, 3, ps);
  wasm_valtype_vec_new_empty(&results);
  return wasm_functype_new(&params, &results);
}

static inline own wasm_functype_t *wasm_functype_new_0_1(own wasm_valtype_t *r1) {
  wasm_valtype_vec_t params, results;
  wasm_valtype_t *rs[1];
  rs[0] = r1;
  wasm_valtype_vec_new_empty(&params);
  wasm_valtype_vec_new(&results, 1, rs);
  return wasm_functype_new(&params, &results);
}

static inline own wasm_functype_t *wasm_functype_new_1_1(
  own wasm_valtype_t *p1, own wasm_valtype_t *r1
) {
  wasm_valtype_vec_t params, results;
  wasm_valtype_t *ps[1];
  wasm_valtype_t *rs[1];
  ps[0] = p1;
  rs[0] = r1;
  wasm_valtype_vec_new(&params, 1, ps);
  wasm_valtype_vec_new(&results, 1, rs);
  return wasm_functype_new(&params, &results);
}

static inline own wasm_functype_t *wasm_functype_new_2_1(
  own wasm_valtype_t *p1, own wasm_valtype_t *p2, own wasm_valtype_t *r1
) {
  wasm_valtype_vec_t params, results;
  wasm_valtype_t *ps[2];
  wasm_valtype_t *rs[1];
  ps[0] = p1;
  ps[1] = p2;
  rs[0] = r1;
  wasm_valtype_vec_new(&params, 2, ps);
  wasm_valtype_vec_new(&results, 1, rs);
  return wasm_functype_new(&params, &results);
}

static inline own wasm_functype_t *wasm_functype_new_3_1(
  own wasm_valtype_t *p1, own wasm_valtype_t *p2, own wasm_valtype_t *p3, own wasm_valtype_t *r1
) {
  wasm_valtype_vec_t params, results;
  wasm_valtype_t *ps[3];
  wasm_valtype_t *rs[1];
  ps[0] = p1;
  ps[1] = p2;
  ps[2] = p3;
  rs[0] = r1;
  wasm_valtype_vec_new(&params, 3, ps);
  wasm_valtype_vec_new(&results, 1, rs);
  return wasm_functype_new(&params, &results);
}

static inline own wasm_functype_t *wasm_functype_new_0_2(
  own wasm_valtype_t *r1, own wasm_valtype_t *r2
) {
  wasm_valtype_vec_t params, results;
  wasm_valtype_t *rs[2];
  rs[0] = r1;
  rs[1] = r2;
  wasm_valtype_vec_new_empty(&params);
  wasm_valtype_vec_new(&results, 2, rs);
  return wasm_functype_new(&params, &results);
}

static inline own wasm_functype_t *wasm_functype_new_1_2(
  own wasm_valtype_t *p1, own wasm_valtype_t *r1, own wasm_valtype_t *r2
) {
  wasm_valtype_vec_t params, results;
  wasm_valtype_t *ps[1];
  wasm_valtype_t *rs[2];
  ps[0] = p1;
  rs[0] = r1;
  rs[1] = r2;
  wasm_valtype_vec_new(&params, 1, ps);
  wasm_valtype_vec_new(&results, 2, rs);
  return wasm_functype_new(&params, &results);
}

static inline own wasm_functype_t *wasm_functype_new_2_2(
  own wasm_valtype_t *p1, own wasm_valtype_t *p2, own wasm_valtype_t *r1, own wasm_valtype_t *r2
) {
  wasm_valtype_vec_t params, results;
  wasm_valtype_t *ps[2];
  wasm_valtype_t *rs[2];
  ps[0] = p1;
  ps[1] = p2;
  rs[0] = r1;
  rs[1] = r2;
  wasm_valtype_vec_new(&params, 2, ps);
  wasm_valtype_vec_new(&results, 2, rs);
  return wasm_functype_new(&params, &results);
}

static inline own wasm_functype_t *wasm_functype_new_3_2(
  own wasm_valtype_t *p1, own wasm_valtype_t *p2, own wasm_valtype_t *p3, own wasm_valtype_t *r1, own wasm_valtype_t *r2
) {
  wasm_valtype_vec_t params, results;
  wasm_valtype_t *ps[3];
  wasm_valtype_t *rs[2];
  ps[0] = p1;
  ps[1] = p2;
  ps[2] = p3;
  rs[0] = r1;
  rs[1] = r2;
  wasm_valtype_vec_new(&params, 3, ps);
  wasm_valtype_vec_new(&results, 2, rs);
  return wasm_functype_new(&params, &results);
}

/** A pointer of the host's as a value. */
static inline void wasm_val_init_ptr(own wasm_val_t *out, void *p) {
  intptr_t number;
  memcpy(&number, &p, sizeof number); /* C's casts are warnings in C++ */
  out->kind = WASM_I64;
  out->of.i64 = number;
}

/** The pointer that `wasm_val_init_ptr` put into a value. */
static inline void *wasm_val_ptr(const wasm_val_t *val) {
  void *p;
  memcpy(&p, &val->of.i64, sizeof p);
  return p;
}

#ifdef __cplusplus
/* What WASM_I32_VAL and its like are in C++. */
static inline wasm_val_t wasm_val_of_i32(int32_t i) {
  wasm_val_t val = wasm_val_t();
  val.kind = WASM_I32;
  val.of.i32 = i;
  return val;
}

static inline wasm_val_t wasm_val_of_i64(int64_t i) {
  wasm_val_t val = wasm_val_t();
  val.kind = WASM_I64;
  val.of.i64 = i;
  return val;
}

static inline wasm_val_t wasm_val_of_f32(float32_t z) {
  wasm_val_t val = wasm_val_t();
  val.kind = WASM_F32;
  val.of.f32 = z;
  return val;
}

static inline wasm_val_t wasm_val_of_f64(float64_t z) {
  wasm_val_t val = wasm_val_t();
  val.kind = WASM_F64;
  val.of.f64 = z;
  return val;
}

static inline wasm_val_t wasm_val_of_ref(wasm_ref_t *ref) {
  wasm_val_t val = wasm_val_t();
  val.kind = WASM_EXTERNREF;
  val.of.ref = ref;
  return val;
}

static inline wasm_val_t wasm_val_of_bytes(wasm_valkind_t kind, const void *bytes) {
  wasm_val_t val = wasm_val_t();
  val.kind = kind;
  memcpy(&val.of.ref, &bytes, sizeof bytes);
  return val;
}
#endif

#ifdef __cplusplus
} // extern "C"
#endif

#undef own

#endif /* WASM_H */
