//! Reservations of memories whose stores are gone, kept for the next: mapping and unmapping 4 GiB costs more than
//! instantiating a small module.

use crate::base::Result;
use crate::sys::pages::Reservation;
use std::sync::{Mutex, PoisonError};

/// The most reservations kept.
const MAX_KEPT: usize = 32;

/// Accessible bytes of a kept reservation; what is beyond was made inaccessible.
const MAX_ACCESSIBLE: usize = 1 << 20;

/// Reservations of one size, of which a prefix is accessible and zero.
#[derive(Debug, Default)]
pub(in crate::runtime) struct Pool(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    reservation: Reservation,
    accessible: usize,
}

impl Pool {
    /// A reservation of `bytes`, of which exactly the first `len` are accessible, and zero.
    pub(in crate::runtime) fn take(&self, bytes: usize, len: usize) -> Result<Reservation> {
        let kept = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let fitting = kept.iter().rposition(|kept| kept.accessible == len && kept.reservation.len() >= bytes);
            match fitting {
                Some(index) => Some(kept.swap_remove(index)),
                None => kept.pop().filter(|kept| kept.reservation.len() >= bytes),
            }
        };
        let Kept { mut reservation, accessible } = match kept {
            Some(kept) => kept,
            None => Kept { reservation: Reservation::new(bytes)?, accessible: 0 },
        };
        if accessible < len {
            reservation.make_accessible(accessible..len)?;
        } else if len < accessible {
            reservation.make_inaccessible(len..accessible)?;
        }
        Ok(reservation)
    }

    /// Keeps a reservation of which the first `len` bytes are accessible, if there is room for it.
    pub(in crate::runtime) fn give(&self, mut reservation: Reservation, len: usize) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).len() >= MAX_KEPT {
            return;
        }
        let accessible = len.min(MAX_ACCESSIBLE);
        let clean =
            reservation.reset_to_zero(0..accessible).and_then(|()| reservation.make_inaccessible(accessible..len));
        if clean.is_ok() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Kept { reservation, accessible });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_zero_and_no_longer_than_asked_for() {
        let pool = Pool::default();
        let bytes = 16 << 20;
        for (len, next) in [(65536, 65536), (4 << 20, 65536), (65536, 8 << 20), (0, 65536), (65536, 0)] {
            let memory = pool.take(bytes, len).unwrap();
            // SAFETY: accessible up to `len`.
            unsafe { std::slice::from_raw_parts_mut(memory.base(), len) }.fill(7);
            let base = memory.base();
            pool.give(memory, len);
            let memory = pool.take(bytes, next).unwrap();
            assert_eq!(memory.base(), base);
            // SAFETY: accessible up to `next`.
            assert!(unsafe { std::slice::from_raw_parts(memory.base(), next) }.iter().all(|byte| *byte == 0));
            pool.give(memory, next);
        }
        for _ in 0..2 * MAX_KEPT {
            let many: Vec<_> = (0..3).map(|_| pool.take(bytes, 4096).unwrap()).collect();
            many.into_iter().for_each(|memory| pool.give(memory, 4096));
        }
        assert!(pool.0.lock().unwrap().len() <= MAX_KEPT);
    }
}
