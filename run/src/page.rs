//! Coverage as a page to look at: one file of HTML, which needs no other and runs no script. What is covered is read
//! from lcov's format, which says all that is shown.

use crate::debugger::source::Sources;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use stepwell::readable;

/// What was reached of a file.
#[derive(Default, Debug, PartialEq, Eq)]
struct Covered {
    /// Whether code of a line was reached.
    lines: BTreeMap<u32, bool>,
    /// The functions that begin at a line: names, and whether they were reached.
    functions: BTreeMap<String, (u32, bool)>,
    /// The sides of the branches of a line, and whether each was taken.
    sides: BTreeMap<u32, Vec<bool>>,
}

/// How many of how many.
#[derive(Clone, Copy, Default)]
struct Share {
    reached: usize,
    all: usize,
}

impl Share {
    fn of<'a>(states: impl Iterator<Item = &'a bool>) -> Share {
        states.fold(Share::default(), |share, reached| Share {
            reached: share.reached + usize::from(*reached),
            all: share.all + 1,
        })
    }

    fn add(self, other: Share) -> Share {
        Share { reached: self.reached + other.reached, all: self.all + other.all }
    }

    /// A cell of the table: a bar, and the numbers.
    fn cell(self) -> String {
        if self.all == 0 {
            return "<td class=none>none</td>".to_owned();
        }
        let percent = self.reached * 100 / self.all;
        format!(
            "<td><meter min=0 max=100 low=50 high=80 optimum=100 value={percent}></meter> {percent} % \
             <small>{} of {}</small></td>",
            self.reached, self.all
        )
    }
}

impl Covered {
    /// Of lines, functions, and sides of branches.
    fn shares(&self) -> [Share; 3] {
        let functions: Vec<bool> = self.functions.values().map(|(_, reached)| *reached).collect();
        [Share::of(self.lines.values()), Share::of(functions.iter()), Share::of(self.sides.values().flatten())]
    }
}

/// Reads what lcov's format says. Of a file that is told of twice, both are taken together.
fn read(lcov: &str) -> BTreeMap<String, Covered> {
    let mut files: BTreeMap<String, Covered> = BTreeMap::new();
    let mut name = String::new();
    for line in lcov.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        if key == "SF" {
            name = value.to_owned();
        }
        let file = files.entry(name.clone()).or_default();
        let mut parts = value.splitn(if key == "BRDA" { 4 } else { 2 }, ',');
        let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        match (key, first.parse::<u32>()) {
            ("DA", Ok(line)) => *file.lines.entry(line).or_default() |= second != "0",
            ("FN", Ok(line)) => file.functions.entry(second.to_owned()).or_default().0 = line,
            ("FNDA", _) => file.functions.entry(second.to_owned()).or_default().1 |= first != "0",
            ("BRDA", Ok(line)) => {
                let taken = parts.nth(1) == Some("1");
                file.sides.entry(line).or_default().push(taken);
            }
            _ => {}
        }
    }
    files.remove("");
    files
}

/// Text in a page: what it means to a browser is escaped, and what is not seen.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("    "),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --hit: #2a84; --miss: #d446; --part: #da44; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; white-space: nowrap; }
td:first-child { width: 99%; white-space: normal; overflow-wrap: anywhere; }
tfoot td { font-weight: 600; }
small, .none { opacity: .65; }
meter { width: 7rem; }
details { margin: 1rem 0; border: 1px solid var(--line); border-radius: 6px; overflow: hidden; }
summary { cursor: pointer; padding: .5rem .8rem; font-weight: 600; overflow-wrap: anywhere; }
pre { margin: 0; font: 13px/1.5 ui-monospace, monospace; overflow-x: auto; border-top: 1px solid var(--line); }
pre span { display: block; min-width: max-content; padding: 0 .8rem; }
pre b { display: inline-block; width: 4rem; font-weight: normal; opacity: .55; text-align: right; margin-right: 1rem; }
pre i { font-style: normal; float: right; margin-left: 2rem; opacity: .7; }
.hit { background: var(--hit); } .miss { background: var(--miss); } .part { background: var(--part); }
";

/// A line of a file's text.
fn line_html(number: u32, text: &str, file: &Covered) -> String {
    let sides = file.sides.get(&number).map(|sides| Share::of(sides.iter()));
    let class = match (file.lines.get(&number), sides) {
        (Some(false), _) => " class=miss",
        (Some(true), Some(sides)) if sides.reached < sides.all => " class=part",
        (Some(true), _) => " class=hit",
        (None, _) => "",
    };
    let sides = sides.map_or(String::new(), |sides| format!("<i>{} of {} ways</i>", sides.reached, sides.all));
    format!("<span{class}>{sides}<b>{number}</b>{}</span>", escaped(text))
}

/// The page of what lcov's format says of a module; the text of its source is looked for beside it.
pub fn of(lcov: &str, module: &Path) -> String {
    let files = read(lcov);
    let mut sources = Sources::new(module);
    let title = format!("Coverage of {}", escaped(&readable(&module.to_string_lossy())));
    let (mut rows, mut texts) = (String::new(), String::new());
    let mut sum = [Share::default(); 3];
    for (index, (name, file)) in files.iter().enumerate() {
        let shares = file.shares();
        sum = std::array::from_fn(|at| sum[at].add(shares[at]));
        let shown = escaped(&readable(name));
        let cells: String = shares.iter().map(|share| share.cell()).collect();
        // Writing to a string does not fail.
        let _ = writeln!(rows, "<tr><td><a href=\"#f{index}\">{shown}</a></td>{cells}</tr>");
        let mut body = String::new();
        match sources.lines(name) {
            Some(lines) => {
                for (number, text) in (1..).zip(lines) {
                    body += &line_html(number, text, file);
                }
            }
            None => {
                for number in file.lines.keys() {
                    body += &line_html(*number, "(the text is not here)", file);
                }
            }
        }
        let missed = file.functions.iter().filter(|(_, (_, reached))| !reached);
        let missed: Vec<String> = missed.map(|(name, _)| escaped(&readable(name))).collect();
        let missed = match missed.is_empty() {
            true => String::new(),
            false => format!("<p style=\"padding:0 .8rem\">Never called: {}</p>", missed.join(", ")),
        };
        let _ =
            writeln!(texts, "<details id=f{index} open><summary>{shown}</summary>{missed}<pre>{body}</pre></details>");
    }
    let total: String = sum.iter().map(|share| share.cell()).collect();
    format!(
        "<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\n\
         <title>{title}</title><style>{STYLE}</style>\n<h1>{title}</h1>\n\
         <table><thead><tr><th>file<th>lines<th>functions<th>sides of branches</tr></thead>\n\
         <tbody>\n{rows}</tbody><tfoot><tr><td>all</td>{total}</tr></tfoot></table>\n{texts}</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LCOV: &str = "TN:\nSF:a<b>.c\nFN:3,f\nFN:9,g,h\nFNDA:1,f\nFNDA:0,g,h\nBRDA:4,0,0,1\nBRDA:4,0,1,0\nDA:3,1\nDA:4,1\n\
                        DA:9,0\nend_of_record\n";

    #[test]
    fn what_lcov_says_is_read() {
        let files = read(LCOV);
        let file = &files["a<b>.c"];
        assert_eq!(files.len(), 1);
        assert_eq!(file.lines, BTreeMap::from([(3, true), (4, true), (9, false)]));
        assert_eq!(file.functions, BTreeMap::from([("f".to_owned(), (3, true)), ("g,h".to_owned(), (9, false))]));
        assert_eq!(file.sides, BTreeMap::from([(4, vec![true, false])]));
    }

    #[test]
    fn pages_are_escaped_and_whole() {
        let page = of(LCOV, Path::new("x&y.wasm"));
        assert!(page.contains("Coverage of x&amp;y.wasm") && page.contains("a&lt;b&gt;.c") && !page.contains("a<b>"));
        assert!(page.contains("66 % <small>2 of 3</small>") && page.contains("50 % <small>1 of 2</small>"));
        assert!(
            page.contains("<span class=part><i>1 of 2 ways</i><b>4</b>") && page.contains("<span class=miss><b>9</b>")
        );
        assert!(page.contains("Never called: g,h") && !page.contains("<script") && !page.contains("http"));
    }
}
