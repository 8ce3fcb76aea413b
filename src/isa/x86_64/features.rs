//! What processors of this kind may have or lack, by the names that people and the code generator call it.

/// What compiled code needs, as the code generator calls it: see [`check_processor`](super::check_processor).
pub const NEEDED_FEATURES: &[&str] = &["sse3", "ssse3", "sse41"];

/// Levels of the x86-64 psABI: of what each has, what the code generator uses. The first level lacks what compiled code
/// needs.
pub const LEVELS: &[(&str, &[&str])] = &[
    ("x86-64-v2", V2),
    ("x86-64-v3", &[V2[0], V2[1], V2[2], "avx", "avx2", "bmi1", "bmi2", "fma", "lzcnt"]),
    (
        "x86-64-v4",
        &[V2[0], V2[1], V2[2], "avx", "avx2", "bmi1", "bmi2", "fma", "lzcnt", "avx512f", "avx512dq", "avx512vl"],
    ),
];

const V2: &[&str] = &["cmpxchg16b", "popcnt", "sse42"];

/// What the code generator calls the feature of this name: `SSE4.2`, `sse4_2` and `sse42` are one.
pub fn feature_name(name: &str) -> String {
    let plain: String = name.chars().filter(|c| *c != '.').map(|c| c.to_ascii_lowercase()).collect();
    match plain.as_str() {
        "sse4_1" => "sse41".to_owned(),
        "sse4_2" => "sse42".to_owned(),
        "abm" => "lzcnt".to_owned(),
        "cx16" => "cmpxchg16b".to_owned(),
        "avxvnni" => "avx_vnni".to_owned(),
        other => other.strip_prefix("avx512_").map_or_else(|| other.to_owned(), |rest| format!("avx512{rest}")),
    }
}
