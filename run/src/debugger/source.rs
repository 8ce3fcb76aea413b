//! The text of the source: where a file that the compiler named is here, and its lines.

use super::terminal::{Colour, Terminal};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The longest file that is read.
const LONGEST: u64 = 64 << 20;

/// The files that were looked for.
#[derive(Default)]
pub struct Sources {
    /// Where is looked, besides where the compiler said.
    pub folders: Vec<PathBuf>,
    /// Lines of the files that are there.
    known: HashMap<String, Option<Vec<String>>>,
}

impl Sources {
    /// Looks beside the module, too.
    pub fn new(module: &Path) -> Sources {
        let folder = module.parent().map(Path::to_owned).unwrap_or_default();
        Sources { folders: vec![folder], known: HashMap::new() }
    }

    /// Looks in one more folder, before the others.
    pub fn add_folder(&mut self, folder: PathBuf) {
        self.folders.insert(0, folder);
        self.known.clear();
    }

    /// The lines of a file, by its path as the compiler knew it.
    pub fn lines(&mut self, file: &str) -> Option<&[String]> {
        if !self.known.contains_key(file) {
            let lines = self.find(file).and_then(|path| read(&path));
            self.known.insert(file.to_owned(), lines);
        }
        self.known.get(file)?.as_deref()
    }

    /// Where a file is: where the compiler said, or below one of the folders, by all of its path or by the end of it.
    pub fn find(&self, file: &str) -> Option<PathBuf> {
        let path = Path::new(file);
        if path.is_file() {
            return Some(path.to_owned());
        }
        let parts: Vec<_> = path.components().filter(|part| matches!(part, std::path::Component::Normal(_))).collect();
        let ends = (0..parts.len()).map(|skipped| parts[skipped..].iter().collect::<PathBuf>());
        let ends: Vec<PathBuf> = ends.collect();
        let below = |folder: &PathBuf| ends.iter().map(|end| folder.join(end)).find(|path| path.is_file());
        self.folders.iter().find_map(below)
    }

    /// Lines `first..=last` of a file with their numbers, and a mark at `marked`; nothing where it is not here.
    pub fn excerpt(
        &mut self,
        terminal: &Terminal,
        file: &str,
        (first, last): (u32, u32),
        marked: Option<u32>,
    ) -> Option<String> {
        let lines = self.lines(file)?;
        let mut text = String::new();
        let width = last.to_string().len().max(4);
        for (line, number) in lines.iter().zip(1..).skip(first.max(1) as usize - 1).take_while(|(_, n)| *n <= last) {
            let is_marked = marked == Some(number);
            let mark = if is_marked { "->" } else { "  " };
            let colour = if is_marked { Colour::Bold } else { Colour::Dim };
            let head = terminal.paint(colour, &format!("{mark} {number:>width$}"));
            let line = line.replace('\t', "    ");
            let line = if is_marked { terminal.paint(Colour::Bold, &line) } else { line };
            text += format!("{head}  {line}").trim_end();
            text += "\n";
        }
        (!text.is_empty()).then_some(text)
    }
}

fn read(path: &Path) -> Option<Vec<String>> {
    if std::fs::metadata(path).ok()?.len() > LONGEST {
        return None;
    }
    let bytes = std::fs::read(path).ok()?;
    Some(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}
