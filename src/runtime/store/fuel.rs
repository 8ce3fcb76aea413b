//! What is left of the fuel of a store's guests. Compiled code counts down what is *laid out* for it. Mostly that is
//! all; but while somebody may ask for the host to be called, it is a part, and what is *kept back* is laid out when
//! that is used up: so a guest that computes comes by where the host's wishes are looked at. Both together are what is
//! left: how much of it is laid out is nobody's affair but that of this file and of compiled code.
//!
//! A call on a stack of its own may be given a *slice*: what is laid out is of that, too, and where nothing is left of
//! it, the guest waits with what it has.

use crate::runtime::store::inner::StoreInner;

/// So many units are laid out at a time. They last for some tens of microseconds, a thousand times as long as it takes
/// to lay out more.
const PART: i64 = 1 << 17;

impl StoreInner {
    /// What is left; below zero it is used up.
    #[inline]
    pub(in crate::runtime) fn fuel_left(&self) -> i64 {
        self.vm.fuel + self.fuel_kept
    }

    /// So much is left, from now on.
    #[inline]
    pub(in crate::runtime) fn set_fuel_left(&mut self, left: i64) {
        self.lay_out(left, self.fuel_part());
    }

    /// Lays out anew, since there may be another reason for how much.
    pub(in crate::runtime) fn lay_fuel_out(&mut self) {
        self.set_fuel_left(self.fuel_left());
    }

    /// What is laid out.
    pub(in crate::runtime) fn fuel_laid_out(&self) -> i64 {
        self.vm.fuel
    }

    /// Lays out more than so much, for a guest for which that was not enough. False if there is no more.
    pub(in crate::runtime) fn lay_out_more_than(&mut self, lacking: i64) -> bool {
        // A run of instructions may take more than a part.
        let most = self.fuel_part().max(lacking.saturating_mul(2));
        self.lay_out(self.fuel_left(), most);
        self.vm.fuel > lacking
    }

    /// The fuel is used up: what there still was did not pay for what was to come.
    pub(in crate::runtime) fn use_fuel_up(&mut self) {
        self.set_fuel_left(self.fuel_left().min(-1));
    }

    /// Nothing of it is laid out: a guest asks for more where it looks next.
    #[cold]
    pub(in crate::runtime) fn take_fuel_in(&mut self) {
        if self.vm.fuel > 0 && self.lays_out_parts() {
            (self.vm.fuel, self.fuel_kept) = (0, self.fuel_left());
        }
    }

    /// Whether guests that wait for others are to look now and then whether they may go on.
    pub(in crate::runtime) fn looks_while_it_waits(&self) -> bool {
        self.deadline.epoch().is_some() || self.lays_out_parts() || self.registry.can_be_paused()
    }

    /// At most so much of it is laid out.
    #[inline]
    fn fuel_part(&self) -> i64 {
        match self.engine.config().force_fuel_part {
            _ if !self.lays_out_parts() => i64::MAX,
            Some(units) => i64::from(units),
            None => PART,
        }
    }

    /// Whether guests come by, and somebody may want them to.
    fn lays_out_parts(&self) -> bool {
        let config = self.engine.config();
        let wanted = self.attachers.are_any() || config.force_fuel_part.is_some() || self.slice.is_some();
        wanted && self.has_guests_ask_for_fuel()
    }

    /// Whether guests ask for more where what is laid out is used up.
    pub(in crate::runtime) fn has_guests_ask_for_fuel(&self) -> bool {
        self.engine.config().refuels() && !self.fuel_traps
    }

    /// Begins a slice: of so many units, and of what was laid out of the last one and did not do, which is laid out
    /// again.
    pub(in crate::runtime) fn begin_slice(&mut self, units: i64, carried: i64) {
        let left = self.fuel_left();
        self.slice = Some(units.saturating_add(carried.max(0)));
        self.vm.fuel = 0;
        self.lay_out(left, self.fuel_part());
    }

    /// Ends a slice, if there is one; what was laid out of it and is not used.
    pub(in crate::runtime) fn end_slice(&mut self) -> i64 {
        if self.slice.take().is_none() {
            return 0;
        }
        let laid_out = self.vm.fuel;
        self.lay_fuel_out();
        laid_out
    }

    /// Whether nothing is left of a slice beyond what is laid out.
    pub(in crate::runtime) fn slice_is_over(&self) -> bool {
        self.slice.is_some_and(|units| units <= 0)
    }

    /// A guest that cannot wait goes on beyond the end of a slice.
    pub(in crate::runtime) fn stretch_slice(&mut self) {
        self.slice = self.slice.map(|units| units.max(PART));
    }

    fn lay_out(&mut self, left: i64, most: i64) {
        let most = match self.slice {
            // What was laid out before is laid out anew.
            Some(units) => most.min(units.saturating_add(self.vm.fuel.max(0))),
            None => most,
        };
        if let Some(units) = &mut self.slice {
            *units = units.saturating_add(self.vm.fuel.max(0)).saturating_sub(left.min(most).max(0));
        }
        self.vm.fuel = left.min(most);
        self.fuel_kept = left - self.vm.fuel;
    }
}
