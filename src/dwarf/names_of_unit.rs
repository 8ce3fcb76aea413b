//! What has a name in a unit: functions, with their namespaces and where they are, inlined copies too; static
//! variables; types. It owns what it says, and knows nothing of the sections it came from.

/// Names with more namespaces than this are cut off in front.
const MAX_NESTING: usize = 32;
/// So many bytes of a name are kept.
pub(super) const MAX_NAME: usize = 4096;

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Namespace,
    Type,
    Function,
    Variable,
}

/// Something with a name.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) kind: Kind,
    /// Of a type, whether it is a number with names.
    pub(super) enumeration: bool,
    pub(super) entry: usize,
    /// What it is in: an item in front of it.
    pub(super) parent: Option<u32>,
    pub(super) name: Option<Box<str>>,
    pub(super) linkage: Option<Box<str>>,
    /// What it was made from, in this unit.
    pub(super) origin: Option<usize>,
    pub(super) declaration: bool,
    pub(super) line: u32,
    /// Its code: where it is entered, and where that piece of it ends.
    pub(super) code: Option<(u32, u32)>,
}

/// A copy of a function that is inlined.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) origin: usize,
    pub(super) begin: u32,
    pub(super) end: u32,
}

/// The names of a unit.
#[derive(Debug, Default)]
pub(super) struct UnitNames {
    pub(super) split: bool,
    /// By where their entries are.
    pub(super) items: Vec<Item>,
    pub(super) copies: Vec<Copy>,
}

/// A function of a unit that has code.
pub(super) struct Named {
    /// With its namespaces.
    pub(super) name: String,
    pub(super) linkage: Option<String>,
    pub(super) code: (u32, u32),
    pub(super) inlined: bool,
}

impl UnitNames {
    /// Whether they are those of the unit's other part.
    pub(super) fn is_split(&self) -> bool {
        self.split
    }

    fn at(&self, entry: usize) -> Option<&Item> {
        self.items.binary_search_by_key(&entry, |item| item.entry).ok().map(|at| &self.items[at])
    }

    /// What an item is made from, at the end of that chain.
    fn declared<'s>(&'s self, mut item: &'s Item) -> &'s Item {
        for _ in 0..MAX_NESTING {
            match item.origin.and_then(|origin| self.at(origin)) {
                Some(origin) => item = origin,
                None => break,
            }
        }
        item
    }

    /// A name with its namespaces.
    fn qualified(&self, item: &Item) -> Option<String> {
        let item = self.declared(item);
        let mut name = item.name.as_deref()?.to_owned();
        let mut parent = item.parent;
        for _ in 0..MAX_NESTING {
            let Some(up) = parent.and_then(|at| self.items.get(at as usize)) else { break };
            // What is in a function has its own name only; a namespace without a name is not said.
            match (up.kind, up.name.as_deref()) {
                (Kind::Namespace | Kind::Type, Some(front)) => name = format!("{front}::{name}"),
                (Kind::Namespace, None) => {}
                _ => break,
            }
            parent = up.parent;
        }
        name.truncate(name.floor_char_boundary(MAX_NAME));
        Some(name)
    }

    fn linkage(&self, item: &Item) -> Option<String> {
        let own = item.linkage.as_deref().or_else(|| self.declared(item).linkage.as_deref());
        own.map(str::to_owned)
    }

    /// Functions that have code, and their inlined copies.
    pub(super) fn functions(&self) -> impl Iterator<Item = Named> {
        let own = self.items.iter().filter(|item| item.kind == Kind::Function).filter_map(|item| {
            let code = item.code?;
            Some((item, code, false))
        });
        let copies = self.copies.iter().filter_map(|copy| Some((self.at(copy.origin)?, (copy.begin, copy.end), true)));
        own.chain(copies).filter_map(|(item, code, inlined)| {
            let linkage = self.linkage(item);
            let name = self.qualified(item).or_else(|| linkage.clone())?;
            Some(Named { name, linkage, code, inlined })
        })
    }

    /// Static variables: names, entries, lines.
    pub(super) fn variables(&self) -> impl Iterator<Item = (String, usize, u32)> {
        let defined = |item: &&Item| item.kind == Kind::Variable && !item.declaration;
        self.items.iter().filter(defined).filter_map(|item| {
            let line = if item.line > 0 { item.line } else { self.declared(item).line };
            Some((self.qualified(item)?, item.entry, line))
        })
    }

    /// The entry of a type that is not only declared.
    pub(super) fn type_named(&self, name: &str) -> Option<usize> {
        let defined = |item: &&Item| item.kind == Kind::Type && !item.declaration;
        let unqualified = name.rsplit("::").next();
        let mut meant = self.items.iter().filter(defined).filter(|item| item.name.as_deref() == unqualified);
        meant.find(|item| self.qualified(item).as_deref() == Some(name)).map(|item| item.entry)
    }

    /// The same, of a name that may leave namespaces out.
    pub(super) fn type_like(&self, name: &str, fits: impl Fn(&str, &str) -> bool) -> Option<usize> {
        self.type_named(name).or_else(|| {
            let defined = |item: &&Item| item.kind == Kind::Type && !item.declaration;
            let unqualified = name.rsplit("::").next();
            let mut meant = self.items.iter().filter(defined).filter(|item| item.name.as_deref() == unqualified);
            let meant_by = |item: &&Item| self.qualified(item).is_some_and(|known| fits(&known, name));
            meant.find(meant_by).map(|item| item.entry)
        })
    }

    /// The names of all types.
    pub(super) fn type_names(&self) -> impl Iterator<Item = String> + '_ {
        let named = |item: &&Item| item.kind == Kind::Type && !item.declaration && item.name.is_some();
        self.items.iter().filter(named).filter_map(|item| self.qualified(item))
    }

    /// All numbers with names: what they are called, and their entries.
    pub(super) fn enumerations(&self) -> impl Iterator<Item = (Option<String>, usize)> + '_ {
        let enumeration = |item: &&Item| item.enumeration && !item.declaration;
        self.items.iter().filter(enumeration).map(|item| (self.qualified(item), item.entry))
    }

    /// The name of a type, or whatever else has one, with namespaces.
    pub(super) fn name_of(&self, entry: usize) -> Option<String> {
        self.qualified(self.at(entry)?)
    }
}
