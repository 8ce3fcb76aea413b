const Kind = enum(u8) { small, large = 7 };
const Pair = struct { first: u32, second: i16, kind: Kind };
const Number = union(enum) { whole: i64, real: f32, nothing };
var counter: u32 = 7;

noinline fn lookAt(at: *const anyopaque) void {
    asm volatile (""
        :
        : [at] "r" (at),
        : .{ .memory = true });
}

noinline fn sum(items: []const u16, limit: ?u32) u32 {
    var total: u32 = 0;
    for (items) |item| total += item;
    if (limit) |most| total = @min(total, most);
    lookAt(&total);
    return total;
}

export fn run(n: u32) u32 {
    var pair = Pair{ .first = n, .second = -3, .kind = .large };
    var numbers = [_]u16{ 1, 2, 3, 500 };
    var number = Number{ .real = 1.5 };
    const text: []const u8 = "hello";
    var wide: u128 = 1 << 100;
    var maybe: ?*Pair = &pair;
    lookAt(&pair);
    lookAt(&numbers);
    lookAt(&number);
    lookAt(@ptrCast(&text));
    lookAt(&wide);
    lookAt(@ptrCast(&maybe));
    counter += 1;
    return sum(&numbers, 100) + counter + pair.first;
}

pub const panic = @import("std").debug.no_panic;
