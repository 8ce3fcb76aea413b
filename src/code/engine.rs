//! A module's code in an engine: tables, and a text that nobody outside this room gets to see.

use super::forward::put_jumps;
use crate::base::{Error, ErrorKind, Result, Shared};
use crate::image::{CodeImage, ImageTables, Tier};
use crate::isa::{SITE_BYTES, armed_site};
use crate::sys::text::{ExecView, PrivateView, TextBacking, TextImage};
use std::any::Any;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Names an [`EngineCode`] for as long as the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineCodeId(u64);

impl EngineCodeId {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        EngineCodeId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}
/// What goes with a mapping of code, for whoever made it: dropped before the mapping is.
pub type Registration = Box<dyn Any + Send + Sync>;

/// The code of a module in its engine: the canonical image. It knows offsets only; code becomes executable by
/// registering it with a store's [`CodeRegistry`](super::CodeRegistry).
#[derive(Debug)]
pub struct EngineCode {
    id: EngineCodeId,
    tables: ImageTables,
    text_len: u32,
    /// Where its texts live if the system agrees.
    wanted: TextBacking,
    /// The text until a mapping has it. Also the lock under which those below are made.
    bytes: Mutex<Vec<u8>>,
    // Before what it goes with.
    registration: OnceLock<Option<Registration>>,
    /// What private texts are views of. Made for the first of them.
    image: OnceLock<TextImage>,
    /// What sharing stores execute. Made for the first of them.
    shared: OnceLock<ExecView>,
    /// The text with every site armed. Made for the first store that steps.
    step_image: OnceLock<TextImage>,
    /// The text with a jump where each function begins. Made for the first store whose frames are to leave it.
    forwarding: OnceLock<TextImage>,
}

impl EngineCode {
    /// Takes an image in. Nothing is mapped until a store registers it.
    ///
    /// # Panics
    /// When the image's sites are not sorted, overlap, or lie outside its text. No compiled image is like that, and
    /// [`CodeImage::from_elf`] refuses such files.
    pub fn new(image: CodeImage) -> Shared<EngineCode> {
        EngineCode::with_backing(image, TextBacking::Memfd)
    }

    /// The same, with a choice of where the text lives; in plain memory, every private text is a copy of the whole.
    ///
    /// # Panics
    /// As [`EngineCode::new`].
    pub fn with_backing(image: CodeImage, wanted: TextBacking) -> Shared<EngineCode> {
        let CodeImage { text, tables } = image;
        let text_len = u32::try_from(text.len()).expect("a text beyond 4 GiB");
        check_sites(&tables, text_len);
        Shared::new(EngineCode {
            id: EngineCodeId::new(),
            tables,
            text_len,
            wanted,
            bytes: Mutex::new(text),
            registration: OnceLock::new(),
            image: OnceLock::new(),
            shared: OnceLock::new(),
            step_image: OnceLock::new(),
            forwarding: OnceLock::new(),
        })
    }

    /// Takes tables in whose text stands in an image already. Production code is mapped for sharing at once and the
    /// image let go; that of debug code is kept, for private texts are views of it.
    ///
    /// # Errors
    /// Those of mapping it.
    ///
    /// # Panics
    /// As [`EngineCode::new`].
    pub fn of_text(tables: ImageTables, text: TextImage) -> Result<Shared<EngineCode>> {
        let text_len = u32::try_from(text.len()).expect("a text beyond 4 GiB");
        check_sites(&tables, text_len);
        let wanted = text.backing();
        let (shared, image) = match tables.tier {
            Tier::Production => (OnceLock::from(text.map_exec()?), OnceLock::new()),
            Tier::Debug => (OnceLock::new(), OnceLock::from(text)),
        };
        Ok(Shared::new(EngineCode {
            id: EngineCodeId::new(),
            tables,
            text_len,
            wanted,
            bytes: Mutex::default(),
            registration: OnceLock::new(),
            image,
            shared,
            step_image: OnceLock::new(),
            forwarding: OnceLock::new(),
        }))
    }

    /// A copy of its text, for writing it to a file.
    ///
    /// # Errors
    /// Those of reading it back from where it lives.
    pub fn copy_text(&self) -> Result<Vec<u8>> {
        let bytes = self.lock();
        match (self.shared.get(), self.image.get()) {
            (Some(view), _) => Ok(view.to_vec()),
            (None, Some(image)) => image.to_vec(),
            (None, None) => Ok(bytes.clone()),
        }
    }

    /// A copy of a part of its text, for showing it.
    ///
    /// # Errors
    /// As of [`EngineCode::copy_text`]; [`ErrorKind::Argument`] beyond its end.
    pub fn copy_part(&self, part: Range<usize>) -> Result<Vec<u8>> {
        if part.start > part.end || part.end > self.text_len as usize {
            let message = format!("{part:?} is no part of a text of {} bytes", self.text_len);
            return Err(Error::new(ErrorKind::Argument, message));
        }
        let bytes = self.lock();
        match (self.shared.get(), self.image.get()) {
            (Some(view), _) => Ok(view.read(part)),
            (None, Some(image)) => image.read(part),
            (None, None) => Ok(bytes[part].to_vec()),
        }
    }

    /// Its name.
    pub fn id(&self) -> EngineCodeId {
        self.id
    }

    /// What is where in its text.
    pub fn tables(&self) -> &ImageTables {
        &self.tables
    }

    /// Bytes of its text.
    pub fn text_len(&self) -> u32 {
        self.text_len
    }

    /// Where the text for private copies lives, once the first was made.
    pub fn backing(&self) -> Option<TextBacking> {
        self.image.get().map(TextImage::backing)
    }

    /// The address of the shared mapping, made now if it is not there. For this room alone, and only for
    /// `StoreCode::Shared`.
    pub(super) fn shared_base(&self) -> Result<usize> {
        if let Some(view) = self.shared.get() {
            return Ok(view.base());
        }
        let mut bytes = self.lock();
        if let Some(view) = self.shared.get() {
            return Ok(view.base());
        }
        let view = match self.image.get() {
            Some(image) => image.map_exec()?,
            None => {
                // The image's file descriptor is not kept: a host has few, and production code needs no second view.
                // Should a private one be asked for all the same, `image` reads the text back from this mapping.
                let image = self.new_image(&mut bytes)?;
                match image.map_exec() {
                    Ok(view) => view,
                    Err(error) => {
                        // The text is in the image now: keep it.
                        self.image.get_or_init(|| image);
                        return Err(error);
                    }
                }
            }
        };
        Ok(self.shared.get_or_init(|| view).base())
    }

    /// Has something go with the shared mapping: what the first who asks makes.
    pub(super) fn keep_registration(&self, make: impl FnOnce() -> Option<Registration>) {
        self.registration.get_or_init(make);
    }

    /// A new private view of the text.
    pub(super) fn private_view(&self) -> Result<PrivateView> {
        self.image()?.map_private()
    }

    /// What private texts are views of.
    pub(super) fn image(&self) -> Result<&TextImage> {
        if let Some(image) = self.image.get() {
            return Ok(image);
        }
        let mut bytes = self.lock();
        if let Some(image) = self.image.get() {
            return Ok(image);
        }
        let image = match self.shared.get() {
            Some(shared) => self.new_image(&mut shared.to_vec())?,
            None => self.new_image(&mut bytes)?,
        };
        Ok(self.image.get_or_init(|| image))
    }

    /// The text with every site armed.
    pub(super) fn step_image(&self) -> Result<&TextImage> {
        if let Some(image) = self.step_image.get() {
            return Ok(image);
        }
        let mut text = self.image()?.to_vec()?;
        let _lock = self.lock();
        if let Some(image) = self.step_image.get() {
            return Ok(image);
        }
        if let Some(stub) = self.tables.stop_stub {
            for site in &self.tables.sites {
                let armed = armed_site(site.after, stub);
                let after = site.after.index();
                text[after - armed.len()..after].copy_from_slice(&armed);
            }
        }
        let image = self.new_image(&mut text)?;
        Ok(self.step_image.get_or_init(|| image))
    }

    /// Puts the step image, if it was made, in the place of a private text of this code. Guests may run there. It takes
    /// no lock and allocates nothing. False where the system refuses, or there is none.
    ///
    /// # Safety
    /// The text stands there, and nobody else changes it meanwhile.
    pub(super) unsafe fn cover(&self, base: usize) -> bool {
        // SAFETY: the caller's promise; the step image is as long.
        self.step_image.get().is_some_and(|image| unsafe { image.put_at(base) })
    }

    /// The text with a jump where each function begins, by a pointer behind it: see [`ForwardingText`].
    ///
    /// [`ForwardingText`]: super::ForwardingText
    pub(super) fn forwarding_image(&self) -> Result<&TextImage> {
        if let Some(image) = self.forwarding.get() {
            return Ok(image);
        }
        let mut text = self.copy_text()?;
        let _lock = self.lock();
        if let Some(image) = self.forwarding.get() {
            return Ok(image);
        }
        put_jumps(&mut text, &self.tables)?;
        let image = self.new_image(&mut text)?;
        Ok(self.forwarding.get_or_init(|| image))
    }

    fn new_image(&self, text: &mut Vec<u8>) -> Result<TextImage> {
        TextImage::with_backing(text, self.wanted)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        // A panic under the lock leaves the text as it was or taken by one of the cells: both are sound.
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What patching relies on.
fn check_sites(tables: &ImageTables, text_len: u32) {
    let mut free_from = 0;
    for site in &tables.sites {
        let start = site.after.get().checked_sub(SITE_BYTES);
        assert!(
            start.is_some_and(|start| start >= free_from) && site.after.get() <= text_len,
            "stop site before {:#x} overlaps another or lies outside the text",
            site.after.get()
        );
        free_from = site.after.get();
    }
    assert!(
        tables.sites.is_empty() || tables.stop_stub.is_some_and(|stub| stub.get() < text_len),
        "stop sites, but no stop stub in the text"
    );
}
