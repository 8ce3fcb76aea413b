//! Guests that wait until others wake them: a list of them for each place of a shared memory. It knows places and
//! threads; what stands in the memory, its owner says.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Who waits at each place. No list is empty.
#[derive(Debug, Default)]
pub(in crate::runtime) struct Waiting(Mutex<Lists>);

type Lists = HashMap<usize, VecDeque<Arc<Waiter>>>;

/// A thread that waits. What it waits with belongs to the lock of the lists.
#[derive(Debug, Default)]
struct Waiter {
    /// It was taken off its list. Changed under the lock alone.
    woken: AtomicBool,
    condition: Condvar,
}

/// How a wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Waited {
    /// Somebody has woken it.
    Woken,
    /// There was nothing to wait for.
    Different,
    /// It took too long.
    TooLong,
    /// The guest may not go on.
    Ended,
}

/// How long a guest may wait.
pub(in crate::runtime) struct Patience<'a> {
    /// Until when; forever without.
    pub(in crate::runtime) until: Option<Instant>,
    /// How often it is asked whether the guest may go on, and by what; never without. No lock is held then.
    pub(in crate::runtime) ask: Option<(Duration, &'a mut dyn FnMut() -> bool)>,
}

impl Waiting {
    /// A list is never left half-changed by a panic that could be survived.
    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits at a place, if that is `wanted`. It is asked with nobody being woken meanwhile: who changes what it looks
    /// at and wakes then, wakes this one.
    pub(in crate::runtime) fn wait(
        &self,
        at: usize,
        wanted: impl FnOnce() -> bool,
        mut patience: Patience<'_>,
    ) -> Waited {
        let mut lists = self.lists();
        if !wanted() {
            return Waited::Different;
        }
        let waiter = Arc::new(Waiter::default());
        lists.entry(at).or_default().push_back(waiter.clone());
        loop {
            let left = patience.until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                remove(&mut lists, at, &waiter);
                return Waited::TooLong;
            }
            let often = patience.ask.as_ref().map(|(often, _)| *often);
            lists = match left.into_iter().chain(often).min() {
                Some(span) => {
                    let waited = waiter.condition.wait_timeout(lists, span);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => waiter.condition.wait(lists).unwrap_or_else(PoisonError::into_inner),
            };
            if waiter.is_woken() {
                return Waited::Woken;
            }
            if let Some((_, ask)) = &mut patience.ask {
                drop(lists);
                let goes_on = ask();
                lists = self.lists();
                if !goes_on {
                    remove(&mut lists, at, &waiter);
                    return Waited::Ended;
                }
                if waiter.is_woken() {
                    return Waited::Woken;
                }
            }
        }
    }

    /// Wakes up to `most` of those who wait at a place, the first first; how many they were.
    pub(in crate::runtime) fn wake(&self, at: usize, most: u32) -> u32 {
        let mut lists = self.lists();
        let Some(list) = lists.get_mut(&at) else { return 0 };
        let count = list.len().min(most as usize);
        for waiter in list.drain(..count) {
            waiter.woken.store(true, Ordering::Relaxed);
            waiter.condition.notify_one();
        }
        if list.is_empty() {
            lists.remove(&at);
        }
        count as u32
    }
}

impl Waiter {
    fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Relaxed)
    }
}

/// Takes one off its list, if it is on it.
fn remove(lists: &mut Lists, at: usize, waiter: &Arc<Waiter>) {
    let Some(list) = lists.get_mut(&at) else { return };
    list.retain(|other| !Arc::ptr_eq(other, waiter));
    if list.is_empty() {
        lists.remove(&at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const FOREVER: Patience<'static> = Patience { until: None, ask: None };

    fn waiting(waiting: &Waiting) -> usize {
        waiting.lists().values().map(VecDeque::len).sum()
    }

    fn until_there_are(all: &Waiting, count: usize) {
        while waiting(all) != count {
            thread::yield_now();
        }
    }

    #[test]
    fn the_first_are_woken_first_and_at_their_place_alone() {
        let all = Waiting::default();
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for i in 0..4 {
                let (all, order) = (&all, &order);
                scope.spawn(move || {
                    assert_eq!(all.wait(if i == 3 { 8 } else { 4 }, || true, FOREVER), Waited::Woken);
                    order.lock().unwrap().push(i);
                });
                until_there_are(all, i + 1);
            }
            assert_eq!((all.wake(0, 9), all.wake(4, 0)), (0, 0));
            for i in 0..2 {
                assert_eq!(all.wake(4, 1), 1);
                while order.lock().unwrap().len() == i {
                    thread::yield_now();
                }
            }
            assert_eq!(all.wake(4, u32::MAX), 1);
            assert_eq!(all.wake(8, u32::MAX), 1);
        });
        assert_eq!(order.into_inner().unwrap()[..2], [0, 1]);
        assert!(all.lists().is_empty());
    }

    #[test]
    fn what_ends_a_wait() {
        let all = Waiting::default();
        assert_eq!(all.wait(0, || false, FOREVER), Waited::Different);
        let soon = || Some(Instant::now() + Duration::from_millis(2));
        assert_eq!(all.wait(0, || true, Patience { until: soon(), ask: None }), Waited::TooLong);
        let mut asked = 0;
        let mut ask = || {
            asked += 1;
            // Nobody holds the lock.
            assert_eq!(waiting(&all), 1);
            asked < 3
        };
        let ask: (Duration, &mut dyn FnMut() -> bool) = (Duration::from_millis(1), &mut ask);
        assert_eq!(all.wait(0, || true, Patience { until: None, ask: Some(ask) }), Waited::Ended);
        assert_eq!(asked, 3);
        // Who is woken while it is asked is woken.
        let mut ask = || all.wake(0, 1) == 1;
        let ask: (Duration, &mut dyn FnMut() -> bool) = (Duration::from_millis(1), &mut ask);
        assert_eq!(all.wait(0, || true, Patience { until: None, ask: Some(ask) }), Waited::Woken);
        assert!(all.lists().is_empty());
    }
}
