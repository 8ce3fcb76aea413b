//! What many threads use at once without one waiting for the other. A count that two processors change in turn travels
//! between them, which takes longer than anything else that is done to a small object; so each thread has a stripe, of
//! which there are a few more than processors, and counts there.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// The most stripes.
const MOST: usize = 64;

/// How many stripes there are: twice as many as processors, so that two threads that run at once seldom have the same.
fn count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        (2 * processors).next_power_of_two().min(MOST)
    })
}

/// The number of the thread that asks: threads are numbered as they first ask.
fn thread() -> usize {
    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NUMBER.with(|number| {
        if number.get() == usize::MAX {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}

/// What has a stretch of memory to itself that no other processor writes to: two lines of the cache, for processors
/// fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart<T>(T);

/// One for each stripe, apart from each other.
#[derive(Debug)]
pub struct Stripes<T>(Box<[Apart<T>]>);

impl<T: Default> Default for Stripes<T> {
    fn default() -> Self {
        Stripes((0..count()).map(|_| Apart::default()).collect())
    }
}

impl<T> Stripes<T> {
    /// Which is that of the thread that asks.
    #[inline]
    pub fn own(&self) -> usize {
        // Their number is a power of two.
        thread() & (self.0.len() - 1)
    }

    /// All of them, each with its number.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.0.iter().map(|stripe| &stripe.0).enumerate()
    }
}

impl<T> std::ops::Index<usize> for Stripes<T> {
    type Output = T;

    #[inline]
    fn index(&self, stripe: usize) -> &T {
        &self.0[stripe].0
    }
}

/// An [`Arc`] of which threads can have clones that count [near](Shared::near) them.
pub struct Shared<T>(Arc<Apart<Holder<T>>>);

/// One for each stripe, made when its first thread asks.
type Near<T> = Box<[OnceLock<Shared<T>>]>;

/// What holds the object for all that count together.
struct Holder<T> {
    object: Arc<T>,
    /// Those that count near a thread, made as they are asked for; `None` in one of them. They go with this.
    near: Option<OnceLock<Near<T>>>,
}

impl<T> Shared<T> {
    /// Shares an object.
    pub fn new(object: T) -> Shared<T> {
        Shared(Arc::new(Apart(Holder { object: Arc::new(object), near: Some(OnceLock::new()) })))
    }

    /// The same object, by a clone that counts with others of this thread's stripe: for what is made and dropped by
    /// many threads at once. Its own clones count there, too, whoever has them.
    #[inline]
    pub fn near(&self) -> Shared<T> {
        let Holder { object, near: Some(near) } = &self.0.0 else { return self.clone() };
        let all = near.get_or_init(|| (0..count()).map(|_| OnceLock::new()).collect());
        let make = || Shared(Arc::new(Apart(Holder { object: object.clone(), near: None })));
        all[thread() & (all.len() - 1)].get_or_init(make).clone()
    }

    /// Whether both are the same object.
    pub fn ptr_eq(a: &Self, b: &Self) -> bool {
        Arc::ptr_eq(&a.0.0.object, &b.0.0.object)
    }

    /// The object's own count.
    pub fn arc(this: &Self) -> &Arc<T> {
        &this.0.0.object
    }

    /// Whether there are clones that count with this one. Of those near a thread it says nothing.
    pub fn has_clones(this: &Self) -> bool {
        Arc::strong_count(&this.0) > 1
    }
}

impl<T> Clone for Shared<T> {
    /// The same object, by a clone that counts where this one does.
    #[inline]
    fn clone(&self) -> Self {
        Shared(self.0.clone())
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0.0.object
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_lives_as_long_as_any_clone() {
        let object = Arc::new(7);
        let shared = Shared::new(object.clone());
        let near = shared.near();
        assert!(Shared::ptr_eq(&shared, &near) && Shared::ptr_eq(&near, &near.near()));
        assert!(!Shared::has_clones(&shared));
        let clone = shared.clone();
        assert!(Shared::has_clones(&shared));
        drop((shared, clone));
        assert_eq!((**near, Arc::strong_count(&object)), (7, 2));
        let elsewhere = std::thread::spawn(move || near.near()).join().unwrap();
        assert_eq!(Arc::strong_count(&object), 2);
        drop(elsewhere);
        assert_eq!(Arc::strong_count(&object), 1);
    }

    #[test]
    fn threads_count_apart() {
        let shared = Shared::new(());
        let others: Vec<_> =
            (0..count()).map(|_| std::thread::scope(|s| s.spawn(|| shared.near()).join()).unwrap()).collect();
        let mut places: Vec<_> = others.iter().map(|near| Arc::as_ptr(&near.0).addr()).collect();
        places.sort_unstable();
        places.dedup();
        // Other tests number threads meanwhile.
        assert!(places.len() > 1 && places.windows(2).all(|two| two[1] - two[0] >= 128));
        drop(shared);
        assert!(others.iter().all(|near| Arc::strong_count(Shared::arc(near)) == places.len()));
    }

    #[test]
    fn a_thread_has_one_stripe() {
        let stripes = Stripes::<AtomicUsize>::default();
        for _ in 0..3 {
            stripes[stripes.own()].fetch_add(1, Ordering::Relaxed);
        }
        let counts: Vec<_> = stripes.iter().map(|(_, count)| count.load(Ordering::Relaxed)).collect();
        assert_eq!((counts.iter().sum::<usize>(), counts[stripes.own()]), (3, 3));
        assert!(counts.len().is_power_of_two());
    }
}
