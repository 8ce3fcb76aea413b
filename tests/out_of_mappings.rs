//! A process that runs out of mappings, or of address space, is told which, and how to go on; nothing is lost by it. In
//! a process of its own, for it takes them all.

use std::fs::read_to_string;
use std::process::Command;
use stepwell::ErrorKind;
use stepwell::internals::sys::pages::Reservation;

const PAGE: usize = 4096;
const TASK: &str = "STEPWELL_OUT_OF_MAPPINGS";

fn limit() -> usize {
    read_to_string("/proc/sys/vm/max_map_count").unwrap().trim().parse().unwrap()
}

fn mappings() -> usize {
    read_to_string("/proc/self/maps").unwrap().lines().count()
}

/// Takes one mapping after the other until there is none.
fn out_of_mappings() {
    let limit = limit();
    let before = mappings();
    let mut memory = Reservation::new(2 * (limit + 1) * PAGE).unwrap();
    // Each page that is accessible between others that are not is a mapping, and splits another.
    let refused = (0..=limit).find_map(|i| memory.make_accessible(2 * i * PAGE..(2 * i + 1) * PAGE).err()).unwrap();
    let mut others = Vec::new();
    // Mappings that stand alone, so that even those that need one only are refused.
    let none_left = loop {
        match Reservation::new(PAGE) {
            Ok(mut other) => {
                let _ = other.make_accessible(0..PAGE);
                others.push(other);
            }
            Err(error) => break error,
        }
    };
    for error in [refused, none_left] {
        let message = error.message();
        assert_eq!(error.kind(), ErrorKind::System);
        assert!(message.contains(&format!("the system allows {limit} (vm.max_map_count)")), "{message}");
        assert!(message.contains(&format!("`sysctl -w vm.max_map_count={}`", limit * 4)), "{message}");
        let told = message.split("the process has ").nth(1).unwrap().split(' ').next().unwrap();
        assert!(told.parse::<usize>().unwrap().abs_diff(limit) <= 16, "{message}");
    }
    drop((memory, others));
    assert!(mappings().abs_diff(before) < 20, "{} and {before}", mappings());
    let mut again = Reservation::new(4 * PAGE).unwrap();
    again.make_accessible(PAGE..2 * PAGE).unwrap();
}

/// Reserves more than the process may have, and more than there is.
fn out_of_addresses() {
    let error = Reservation::new(1 << 50).unwrap_err();
    assert!(error.message().contains("more in a row are nowhere free"), "{error}");
    assert!(error.message().contains("`memory_reservation`"), "{error}");
    let most = libc::rlimit { rlim_cur: 4 << 30, rlim_max: 4 << 30 };
    // SAFETY: the place is of the type that the call reads.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &most) }, 0);
    let error = Reservation::new(4 << 30).unwrap_err();
    let message = error.message();
    assert_eq!(error.kind(), ErrorKind::System);
    assert!(message.contains(&format!("{} more are needed, and its limit is {} (RLIMIT_AS", 4u64 << 30, 4u64 << 30)));
    assert!(message.contains("`memory_reservation`"), "{message}");
    Reservation::new(1 << 20).unwrap().make_accessible(0..PAGE).unwrap();
}

/// Does nothing but where another test has started this one for it.
#[test]
fn child() {
    match std::env::var(TASK).as_deref() {
        Ok("mappings") => out_of_mappings(),
        Ok("addresses") => out_of_addresses(),
        _ => {}
    }
}

fn run(task: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]).env(TASK, task);
    let done = command.output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(done.status.success(), "{task}: {}{}", said(&done.stdout), said(&done.stderr));
}

#[test]
fn the_limit_of_mappings_is_named() {
    // Some systems allow more than memory has room for.
    assert!(
        limit() > 1 << 22 || {
            run("mappings");
            true
        }
    );
}

#[test]
fn the_lack_of_address_space_is_named() {
    run("addresses");
}
