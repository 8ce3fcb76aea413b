//! Where the fields of structures are that guests make: compiled code and the runtime have it from here.

/// Where the fields of a structure are: one behind the other, each aligned to its width, or to 8 bytes. So those that a
/// type has from the one above it are where that has them.
#[derive(Clone, Copy, Debug)]
pub struct StructLayout {
    end: u32,
}

impl StructLayout {
    /// The widest field, and the most fields that there are: with as many, the last is still where null faults.
    pub const WIDEST: u32 = 16;
    /// See [`StructLayout::WIDEST`].
    pub const MOST_FIELDS: u32 = 10_000;

    /// Of no fields.
    pub const fn new() -> StructLayout {
        StructLayout { end: 4 }
    }

    /// Adds a field that is so many bytes wide: where it is.
    pub const fn push(&mut self, width: u32) -> u32 {
        let align = if width > 8 { 8 } else { width };
        let at = self.end.next_multiple_of(align);
        self.end = at + width;
        at
    }

    /// The bytes of the whole structure.
    pub const fn size(self) -> u32 {
        self.end.next_multiple_of(8)
    }
}

impl Default for StructLayout {
    fn default() -> Self {
        StructLayout::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_aligned_and_stay_where_the_type_above_has_them() {
        let mut layout = StructLayout::new();
        let widths = [1, 1, 2, 4, 1, 8, 16, 2, 4];
        let at: Vec<u32> = widths.iter().map(|width| layout.push(*width)).collect();
        assert_eq!(at, [4, 5, 6, 8, 12, 16, 24, 40, 44]);
        assert_eq!(layout.size(), 48);
        assert_eq!(StructLayout::new().size(), 8);
    }
}
