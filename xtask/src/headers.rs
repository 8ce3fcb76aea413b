//! `cargo xtask headers`: the headers from the signatures in `src/capi`, by cbindgen.
//!
//! `wasm.h` gets what is named `wasm_*`. What is named `stepwell_*` goes to the header of its group (`groups.rs`), and
//! `stepwell.h` includes all of those. Hand-written C (guards, macros, inline helpers) stands in `src/capi/header`.

use crate::groups::{GROUPS, Group, group_of};
use crate::{read, refs, root, vecs, write_or_check};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// The files of `src/capi` in the order their functions stand in the headers.
const ORDER: &[&str] = &[
    "plumbing/handles",
    "plumbing/env",
    "version",
    "error",
    "bytes",
    "vecs",
    "config",
    "profile",
    "engine",
    "log",
    "store",
    "thread",
    "limits",
    "collect",
    "valtype",
    "functype",
    "globaltype",
    "tabletype",
    "memorytype",
    "tagtype",
    "type_object",
    "externtype",
    "importtype",
    "exporttype",
    "val",
    "v128",
    "reference",
    "refs",
    "frame",
    "trap",
    "foreign",
    "progress",
    "module",
    "source",
    "module_source",
    "module_function",
    "module_serialize",
    "module_about",
    "wat",
    "func",
    "host_func",
    "caller",
    "typed_func",
    "call",
    "global",
    "table",
    "memory",
    "sharedmemory",
    "external",
    "instance",
    "exception",
    "heap_object",
    "linker",
    "instance_pre",
    "wasi",
    "debugger",
    "breakpoint",
    "breakpoint_options",
    "breakpoint_set",
    "watchpoint",
    "pauser",
    "attacher",
    "outcome",
    "guarded",
    "stop",
    "stop_queue",
    "stop_frame",
    "stop_change",
    "stop_step",
    "stop_event",
    "stop_later",
    "core_dump",
    "coverage",
    "frame_variable",
    "variable",
    "server",
];

/// Writes the headers, or checks them.
pub fn run(check: bool) -> Result<(), String> {
    let capi = root().join("src/capi");
    write_or_check(&capi.join("vecs.rs"), &rustfmt(&vecs::generate())?, check, "headers")?;
    write_or_check(&capi.join("refs.rs"), &rustfmt(&refs::generate())?, check, "headers")?;
    let sources = sources(&capi)?;
    let declared = declared(&capi, &sources)?;
    for header in std::iter::once(Header::Wasm).chain(GROUPS.iter().map(Header::Group)) {
        let text = header.generate(&capi, &sources, &declared)?;
        write_or_check(&root().join("include").join(header.path()), &text, check, "headers")?;
    }
    let umbrella = read(&capi.join("header/stepwell.h"))?.replace("@INCLUDES@", includes().trim_end());
    write_or_check(&root().join("include/stepwell.h"), &umbrella, check, "headers")?;
    no_others()
}

/// The list of all groups, as C includes them.
fn includes() -> String {
    GROUPS.iter().map(|group| format!("#include \"stepwell/{}.h\" /* {} */\n", group.name, group.about)).collect()
}

/// Fails if there is a header of a group that is no more.
fn no_others() -> Result<(), String> {
    let folder = root().join("include/stepwell");
    for entry in std::fs::read_dir(&folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !GROUPS.iter().any(|group| group.name == name) {
            return Err(format!("{} is of no group in xtask/src/groups.rs", path.display()));
        }
    }
    Ok(())
}

/// All headers that declare functions, for who reads them.
pub fn paths() -> Vec<PathBuf> {
    std::iter::once(Header::Wasm).chain(GROUPS.iter().map(Header::Group)).map(|header| header.path()).collect()
}

/// A header that cbindgen writes.
#[derive(Clone, Copy)]
enum Header {
    /// The standard's.
    Wasm,
    /// One of ours.
    Group(&'static Group),
}

/// The files in order; one that nobody placed is an error.
fn sources(capi: &Path) -> Result<Vec<PathBuf>, String> {
    let mut sources = vec![capi.join("plumbing/own.rs")];
    sources.extend(ORDER.iter().map(|name| capi.join(name).with_extension("rs")));
    for entry in std::fs::read_dir(capi).map_err(|error| format!("cannot read {}: {error}", capi.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|e| e == "rs") && name != "mod" && !ORDER.contains(&&*name) {
            return Err(format!("src/capi/{name}.rs is not placed in the list of xtask/src/headers.rs"));
        }
    }
    Ok(sources)
}

/// What the sources declare that belongs in headers, and in which file: `plumbing/env`, `func`.
struct Declared {
    types: BTreeMap<String, String>,
    functions: BTreeMap<String, String>,
    enums: BTreeMap<String, String>,
    constants: BTreeMap<String, String>,
}

impl Declared {
    fn all(&self) -> impl Iterator<Item = (&String, &String)> {
        self.types.iter().chain(&self.functions).chain(&self.enums).chain(&self.constants)
    }
}

/// Finds the declarations by their spelling; rustfmt keeps it regular.
fn declared(capi: &Path, sources: &[PathBuf]) -> Result<Declared, String> {
    let mut declared = Declared {
        types: BTreeMap::new(),
        functions: BTreeMap::new(),
        enums: BTreeMap::new(),
        constants: BTreeMap::new(),
    };
    for path in sources {
        let file = path.strip_prefix(capi).unwrap_or(path).with_extension("").to_string_lossy().into_owned();
        for line in read(path)?.lines() {
            let ident =
                |rest: &str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned();
            if let Some(rest) =
                line.strip_prefix("pub unsafe extern \"C\" fn ").or(line.strip_prefix("pub extern \"C\" fn "))
            {
                declared.functions.insert(ident(rest), file.clone());
            } else if let Some(rest) = line.strip_prefix("pub enum ") {
                declared.enums.insert(ident(rest), file.clone());
            } else if let Some(rest) = line.strip_prefix("pub const ") {
                declared.constants.insert(ident(rest), file.clone());
            } else if let Some(rest) =
                ["pub struct ", "pub union ", "pub type "].iter().find_map(|start| line.strip_prefix(start))
            {
                declared.types.insert(ident(rest), file.clone());
            }
        }
    }
    for (item, file) in declared.all().filter(|(item, _)| item.to_lowercase().starts_with("stepwell_")) {
        if group_of(item, file).is_none() {
            return Err(format!("`{item}` of src/capi/{file}.rs is in no group of xtask/src/groups.rs"));
        }
    }
    let claimed: BTreeSet<&str> = GROUPS.iter().flat_map(|group| group.items).copied().collect();
    if let Some(item) = claimed.into_iter().find(|item| declared.all().all(|(known, _)| known != item)) {
        return Err(format!("xtask/src/groups.rs places `{item}`, which src/capi does not declare"));
    }
    Ok(declared)
}

/// Warnings of cbindgen, collected: each is an error unless it says what is meant.
struct Collector(Mutex<Vec<String>>);

impl log::Log for Collector {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }
    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.lock().expect("not poisoned").push(record.args().to_string());
        }
    }
    fn flush(&self) {}
}

static WARNINGS: Collector = Collector(Mutex::new(Vec::new()));

impl Header {
    /// Where it stands in `include/`.
    fn path(self) -> PathBuf {
        match self {
            Header::Wasm => PathBuf::from("wasm.h"),
            Header::Group(group) => Path::new("stepwell").join(group.name).with_extension("h"),
        }
    }

    /// Whether an item is declared here.
    fn has(self, item: &str, file: &str) -> bool {
        match self {
            Header::Wasm => {
                item.starts_with("wasm_")
                    || item.starts_with("WASM_")
                    || ["byte_t", "float32_t", "float64_t"].contains(&item)
            }
            Header::Group(group) => {
                item.to_lowercase().starts_with("stepwell_")
                    && group_of(item, file).is_some_and(|its| its.name == group.name)
            }
        }
    }

    /// What stands around the declarations: in front of the includes, behind them, and last.
    fn frame(self, capi: &Path) -> Result<(String, String, String), String> {
        let part = |part: &str| read(&capi.join("header").join(part));
        let Header::Group(group) = self else {
            return Ok((part("wasm_top.h")?, part("wasm_macros.h")?, part("wasm_bottom.h")?));
        };
        let guard = format!("STEPWELL_{}_H", group.name.to_uppercase());
        let top = format!(
            "/*\n * stepwell/{}.h: {}.\n * Part of the Stepwell project, Apache-2.0 WITH LLVM-exception.\n \
             * Generated by `cargo xtask headers`: do not edit. The conventions are in docs/c-api-conventions.md.\n */\n\
             #ifndef {guard}\n#define {guard}\n",
            group.name, group.about
        );
        let macros = match group.name {
            "base" => part("base_macros.h")?,
            "value" => part("value_macros.h")?,
            _ => String::new(),
        };
        let own = "\n#ifndef own\n#define own\n#endif\n";
        Ok((top, macros + own, format!("#undef own\n\n#endif /* {guard} */\n")))
    }

    /// Its text.
    fn generate(self, capi: &Path, sources: &[PathBuf], declared: &Declared) -> Result<String, String> {
        let file = if matches!(self, Header::Wasm) { "cbindgen-wasm.toml" } else { "cbindgen-stepwell.toml" };
        let mut config = cbindgen::Config::from_file(root().join(file))?;
        let (top, macros, bottom) = self.frame(capi)?;
        config.header = Some(top.trim_end().to_owned());
        config.after_includes = Some(macros.replace("@VERSION_MACROS@", &version_macros()?));
        config.trailer = Some(bottom.trim_end().to_owned());
        if let Header::Group(group) = self {
            config.includes = group.needs.iter().map(|name| format!("{name}.h")).collect();
        }

        let ours = |(item, file): &(&String, &String)| self.has(item, file);
        let generic = |item: &str| ["Own", "Out", "Take"].contains(&item);
        let excluded = declared.all().filter(|item| !ours(item) && !generic(item.0));
        config.export.exclude.extend(excluded.map(|(item, _)| item.clone()));
        let types = declared.types.iter().chain(&declared.enums).filter(ours);
        config.export.include.extend(types.map(|(item, _)| item.clone()));

        let _ = log::set_logger(&WARNINGS);
        log::set_max_level(log::LevelFilter::Warn);
        WARNINGS.0.lock().expect("not poisoned").clear();
        let mut builder = cbindgen::Builder::new().with_config(config);
        for source in sources {
            builder = builder.with_src(source);
        }
        let bindings = builder.generate().map_err(|error| format!("cbindgen: {error}"))?;
        let mut text = Vec::new();
        bindings.write(&mut text);
        let text = String::from_utf8(text).map_err(|error| error.to_string())?;

        let path = self.path();
        for warning in WARNINGS.0.lock().expect("not poisoned").iter() {
            // What is private is no part of the headers.
            if warning.ends_with("(not `pub`).") {
                continue;
            }
            // Types of the headers that it includes are not found.
            let foreign = warning.strip_prefix("Can't find ").and_then(|rest| rest.split('.').next());
            let known = |item: &str| declared.types.get(item).is_some_and(|file| !self.has(item, file));
            if matches!(self, Header::Wasm) || !foreign.is_some_and(known) {
                return Err(format!("cbindgen warns about {}: {warning}", path.display()));
            }
        }
        let text = rewrite(&text);
        for (function, _) in declared.functions.iter().filter(ours) {
            if !text.contains(&format!("{function}(")) {
                return Err(format!("{} lacks `{function}`", path.display()));
            }
        }
        Ok(text)
    }
}

/// Spells ownership as the standard's header does, and drops the `struct` before names that are typedefs.
fn rewrite(text: &str) -> String {
    let mut out = String::new();
    let mut doc = String::new();
    for line in text.lines() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("/**") || trimmed.starts_with("*") || trimmed.starts_with("*/") {
            doc.push_str(line);
            doc.push('\n');
            continue;
        }
        // The typedefs of the ownership pointers, with their comments.
        let generic = ["Own_", "Out_", "Take_"];
        let name = line
            .strip_prefix("typedef ")
            .and_then(|rest| rest.strip_suffix(';'))
            .and_then(|rest| rest.rsplit([' ', '*']).next().filter(|name| generic.iter().any(|g| name.starts_with(g))));
        if name.is_some() {
            doc.clear();
            continue;
        }
        out.push_str(&compact(&doc));
        doc.clear();
        out.push_str(&spell(line));
        out.push('\n');
    }
    out.push_str(&doc);
    while out.contains("\n\n\n") {
        out = out.replace("\n\n\n", "\n\n");
    }
    out
}

/// A comment of one line on one line.
fn compact(doc: &str) -> String {
    let lines: Vec<&str> = doc.lines().collect();
    if let [open, text, close] = lines[..]
        && open.trim() == "/**"
        && close.trim() == "*/"
        && let Some(body) = text.trim_start().strip_prefix("* ")
    {
        let indent = &open[..open.len() - open.trim_start().len()];
        return format!("{indent}/** {body} */\n");
    }
    doc.to_owned()
}

/// One line, respelled.
fn spell(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end == 0 {
            let c = rest.chars().next().expect("not empty");
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let (word, tail) = rest.split_at(end);
        rest = tail;
        let (stars, inner) = if let Some(inner) = word.strip_prefix("Out_Own_") {
            ("**", inner)
        } else if let Some(inner) = ["Own_", "Out_", "Take_"].iter().find_map(|prefix| word.strip_prefix(prefix)) {
            ("*", inner)
        } else if word == "struct" && !line.starts_with("typedef") && tail.starts_with(' ') {
            rest = &tail[1..];
            continue;
        } else {
            out.push_str(word);
            continue;
        };
        out.push_str("own ");
        out.push_str(inner);
        out.push(' ');
        out.push_str(stars);
        // `own T *name`, not `own T * name`.
        if rest.starts_with(' ') {
            rest = &rest[1..];
        }
    }
    out
}

/// The version macros from the library's manifest, the one place the version stands in.
fn version_macros() -> Result<String, String> {
    let manifest = read(&root().join("Cargo.toml"))?;
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
        .ok_or("Cargo.toml has no version")?;
    let parts: Vec<u32> = version.split('.').map(str::parse).collect::<Result<_, _>>().map_err(|e| format!("{e}"))?;
    let [major, minor, patch] = parts[..] else { return Err(format!("{version} is no major.minor.patch")) };
    Ok(format!(
        "/** The version of this header; `stepwell_version_number()` is the library's. */\n\
         #define STEPWELL_VERSION_MAJOR {major}\n\
         #define STEPWELL_VERSION_MINOR {minor}\n\
         #define STEPWELL_VERSION_PATCH {patch}\n\
         #define STEPWELL_VERSION_NUMBER \\\n  \
         (STEPWELL_VERSION_MAJOR * 1000000 + STEPWELL_VERSION_MINOR * 1000 + STEPWELL_VERSION_PATCH)\n\
         #define STEPWELL_VERSION_STRING \"{version}\""
    ))
}

/// Formats Rust source as the repository has it.
fn rustfmt(text: &str) -> Result<String, String> {
    use std::io::Write;
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run rustfmt: {error}"))?;
    child.stdin.take().expect("piped").write_all(text.as_bytes()).map_err(|error| format!("rustfmt: {error}"))?;
    let output = child.wait_with_output().map_err(|error| format!("rustfmt: {error}"))?;
    if !output.status.success() {
        return Err("rustfmt refused src/capi/vecs.rs".to_owned());
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}
