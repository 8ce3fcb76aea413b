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

// What was reached is told by colours, and by marks for those who do not see them. The box that leaves missed lines
// alone on the page works without a script.
const STYLE: &str = r"
:root { color-scheme: light dark;
  --line: #8884; --hit: #2a83; --miss: #d444; --part: #da44; --strong: #c33; --faint: #5a5a5a; }
@media (prefers-color-scheme: dark) { :root { --strong: #f77; --faint: #aaa; } }
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 80rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; white-space: nowrap; }
td:first-child { width: 99%; white-space: normal; overflow-wrap: anywhere; }
tfoot td { font-weight: 600; }
small, .none { opacity: .7; }
meter { width: 7rem; }
.bar { display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; margin: 1rem 0; align-items: center; }
.bar span { padding: 0 .5rem; border-radius: 4px; }
details { margin: 1rem 0; border: 1px solid var(--line); border-radius: 6px; overflow: hidden; }
summary { cursor: pointer; padding: .5rem .8rem; font-weight: 600; overflow-wrap: anywhere; }
summary small { font-weight: normal; margin-left: .6rem; }
details p { margin: .2rem .8rem .6rem; overflow-wrap: anywhere; }
pre { display: grid; grid-template-columns: minmax(max-content, 1fr); margin: 0; overflow-x: auto;
  font: 13px/1.5 ui-monospace, monospace; border-top: 1px solid var(--line); scroll-margin-top: 6rem; }
pre span { display: flex; white-space: pre; padding-right: .8rem; scroll-margin: 30vh; }
pre b { flex: none; width: 4.2rem; font-weight: normal;
  text-align: right; margin-right: 1rem; color: var(--faint); }
pre b a { color: inherit; scroll-margin: 30vh; }
pre i { order: 1; font-style: normal; margin-left: 2rem; opacity: .8; }
.hit { background: var(--hit); } .miss { background: var(--miss); } .part { background: var(--part); }
pre .miss b, pre .part b { color: inherit; }
.miss b::before, .bar .miss::before { content: '\2717\a0'; color: var(--strong); font-weight: 600; }
.part b::before, .bar .part::before { content: '\00bd\a0'; }
:target { outline: 2px solid var(--strong); outline-offset: -2px; }
body:has(#only:checked) pre span:not(.miss, .part) { display: none; }
@media (max-width: 48rem) {
  th, td { padding: .3rem; white-space: normal; }
  td:first-child { width: auto; }
  meter { display: block; width: 100%; min-width: 3rem; }
  pre b { width: 3.2rem; margin-right: .6rem; }
}
";

/// Lines that were not reached, where the line of code before them was: of each, the file's number and its own.
fn gaps(files: &BTreeMap<String, Covered>) -> Vec<(usize, u32)> {
    let mut gaps = Vec::new();
    for (index, file) in files.values().enumerate() {
        let mut is_gap = false;
        for (line, reached) in &file.lines {
            if !reached && !is_gap {
                gaps.push((index, *line));
            }
            is_gap = !reached;
        }
    }
    gaps
}

/// A line of a file's text. The number of the first of a gap leads to the next gap.
fn line_html(number: u32, text: &str, index: usize, file: &Covered, gaps: &[(usize, u32)]) -> String {
    let sides = file.sides.get(&number).map(|sides| Share::of(sides.iter()));
    let class = match (file.lines.get(&number), sides) {
        (Some(false), _) => " class=miss",
        (Some(true), Some(sides)) if sides.reached < sides.all => " class=part",
        (Some(true), _) => " class=hit",
        (None, _) => "",
    };
    let is_named = file.functions.values().any(|function| *function == (number, false));
    let id = if is_named { format!(" id=f{index}l{number}") } else { String::new() };
    let sides = sides.map_or(String::new(), |sides| format!("<i>{} of {} ways</i>", sides.reached, sides.all));
    let shown = match gaps.binary_search(&(index, number)) {
        Ok(gap) => {
            format!("<a id=g{gap} href=\"#g{}\" title=\"to the next gap\">{number}</a>", (gap + 1) % gaps.len())
        }
        Err(_) => number.to_string(),
    };
    format!("<span{class}{id}>{sides}<b>{shown}</b>{}</span>", escaped(text))
}

/// The page of what lcov's format says of a module; the text of its source is looked for beside it.
pub fn of(lcov: &str, module: &Path) -> String {
    let files = read(lcov);
    let gaps = gaps(&files);
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
        let text = sources.lines(name);
        match &text {
            Some(lines) => {
                for (number, text) in (1..).zip(lines.iter()) {
                    body += &line_html(number, text, index, file, &gaps);
                }
            }
            None => {
                for number in file.lines.keys() {
                    body += &line_html(*number, "(the text is not here)", index, file, &gaps);
                }
            }
        }
        let missed = file.functions.iter().filter(|(_, (_, reached))| !reached).map(|(name, (line, _))| {
            let is_there = match &text {
                Some(lines) => (1..=lines.len()).contains(&(*line as usize)),
                None => file.lines.contains_key(line),
            };
            let name = escaped(&readable(name));
            if is_there { format!("<a href=\"#f{index}l{line}\">{name}</a>") } else { name }
        });
        let missed: Vec<String> = missed.collect();
        let missed = match missed.is_empty() {
            true => String::new(),
            false => format!("<p>Never called: {}</p>", missed.join(", ")),
        };
        // A link opens the box that it leads into, which is why the text is what has the name.
        let _ = writeln!(
            texts,
            "<details open><summary>{shown} <small>{} of {} lines</small></summary>{missed}\
             <pre id=f{index}>{body}</pre></details>",
            shares[0].reached, shares[0].all
        );
    }
    let total: String = sum.iter().map(|share| share.cell()).collect();
    let first = if gaps.is_empty() { "" } else { " <a href=\"#g0\">the first gap</a>" };
    format!(
        "<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\n\
         <title>{title}</title><style>{STYLE}</style>\n<h1>{title}</h1>\n\
         <table><thead><tr><th>file<th>lines<th>functions<th>sides of branches</tr></thead>\n\
         <tbody>\n{rows}</tbody><tfoot><tr><td>all</td>{total}</tr></tfoot></table>\n\
         <div class=bar><span class=hit>reached</span><span class=part>not all ways taken</span>\
         <span class=miss>not reached</span><label><input type=checkbox id=only> show only gaps</label>{first}</div>\n\
         {texts}</html>\n"
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
    fn gaps_begin_behind_lines_that_were_reached() {
        let files = read("SF:a\nDA:1,0\nDA:2,0\nDA:5,1\nDA:6,0\nDA:9,0\nSF:b\nDA:1,1\nSF:c\nDA:4,0\n");
        assert_eq!(gaps(&files), [(0, 1), (0, 6), (2, 4)]);
    }

    #[test]
    fn pages_are_escaped_and_whole() {
        let page = of(LCOV, Path::new("x&y.wasm"));
        assert!(page.contains("Coverage of x&amp;y.wasm") && page.contains("a&lt;b&gt;.c") && !page.contains("a<b>"));
        assert!(page.contains("66 % <small>2 of 3</small>") && page.contains("50 % <small>1 of 2</small>"));
        assert!(
            page.contains("<span class=part><i>1 of 2 ways</i><b>4</b>")
                && page
                    .contains("<span class=miss id=f0l9><b><a id=g0 href=\"#g0\" title=\"to the next gap\">9</a></b>")
        );
        assert!(
            page.contains("Never called: <a href=\"#f0l9\">g,h</a>")
                && !page.contains("<script")
                && !page.contains("http")
        );
    }
}
