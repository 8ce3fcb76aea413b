namespace geo {
struct Point { int x, y; };
class Shape {
  public:
    Shape(Point at) : at(at) {}
    virtual int area() const = 0;
    Point at;
    static int made;
};
int Shape::made = 0;
class Box : public Shape {
  public:
    Box(Point at, int w, int h) : Shape(at), w(w), h(h) { made++; }
    int area() const override { return w * h; }
    int w, h;
};
template <class T, int N> struct Row { T items[N]; T &first() { return items[0]; } };
enum class Side : unsigned char { Left = 1, Right = 2 };
}
extern "C" void __cxa_pure_virtual() { __builtin_trap(); }
void operator delete(void *, unsigned long) noexcept {}
__attribute__((noinline)) int measure(const geo::Shape &shape, geo::Point *where, int &&more) {
    where->x += 1;
    int found = shape.area();
    return found + where->x + more;
}
extern "C" __attribute__((export_name("run"))) int run(int n) {
    geo::Box box({3, 4}, n, 6);
    geo::Row<short, 4> row = {{1, 2, 3, 4}};
    geo::Side side = geo::Side::Right;
    geo::Point point{10, 20};
    int geo::Box::*member = &geo::Box::h;
    bool yes = n > 1;
    char16_t wide = u'\u00e9';
    auto closure = [n, &row](int by) { return n * by + row.first(); };
    int measured = measure(box, &point, closure(2));
    return measured + (int)side + yes + wide + box.*member;
}
