//! What the documentation's examples need and only an assembler can say: the guests of `c-examples/guest` are what
//! their texts say. The examples themselves are compiled and run by `tests/docs.py`, which ctest runs.
//! `STEPWELL_BLESS=1` writes the guests.

mod support;

#[test]
fn guests_are_what_their_texts_say() {
    let mut count = 0;
    for entry in std::fs::read_dir(support::root().join("c-examples/guest")).unwrap() {
        let text = entry.unwrap().path();
        if text.extension().is_none_or(|extension| extension != "wat") {
            continue;
        }
        let bytes = wat::parse_file(&text).unwrap();
        let binary = text.with_extension("wasm");
        if std::env::var_os("STEPWELL_BLESS").is_some() {
            std::fs::write(&binary, bytes).unwrap();
        } else {
            assert_eq!(std::fs::read(&binary).unwrap(), bytes, "{} is not what its text says", binary.display());
        }
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn the_reference_is_what_the_headers_say() {
    support::run(&support::root().join("scripts/reference"), &["--check"]);
}
