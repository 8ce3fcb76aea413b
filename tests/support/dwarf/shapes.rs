#![no_std]
#![crate_type = "cdylib"]
//! What variables look like in Rust.
use core::hint::black_box;

pub mod geo {
    #[derive(Clone, Copy)]
    pub struct Point {
        pub x: i32,
        pub y: i32,
    }
    impl Point {
        #[inline(never)]
        pub fn area(&self, by: u8) -> i32 {
            let scaled = self.x * i32::from(by);
            scaled * self.y
        }
    }
    pub enum Shape {
        Dot,
        Circle(f64),
        Rect { corner: Point, size: (u16, u16) },
    }
}

static mut COUNTER: u32 = 7;

#[inline(never)]
fn look_at<T>(at: &T) {
    black_box(at);
}

#[inline(never)]
fn sum(items: &[u16], name: &str, limit: Option<u32>) -> u32 {
    let mut total = name.len() as u32;
    for item in items {
        let item = u32::from(*item);
        total += item;
    }
    look_at(&total);
    limit.map_or(total, |most| most.min(total))
}

#[unsafe(no_mangle)]
pub extern "C" fn run(n: i32) -> i32 {
    let point = geo::Point { x: n, y: -4 };
    let shapes = [geo::Shape::Dot, geo::Shape::Circle(2.5), geo::Shape::Rect { corner: point, size: (3, 4) }];
    let letter = 'é';
    let tuple = (true, 1u8, -2i64);
    let boxed: Option<&geo::Point> = Some(&point);
    let nothing: Option<u32> = None;
    let wide: u128 = 1 << 100;
    let n = n + 1;
    look_at(&(&shapes, letter, tuple, boxed, nothing, wide));
    unsafe { COUNTER += 1 };
    sum(&[1, 2, 3, 500], "hello", Some(100)) as i32 + point.area(2) + n
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
