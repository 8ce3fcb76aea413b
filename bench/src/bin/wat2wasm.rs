//! `wat2wasm TEXT BINARY`: the binary of a module in the text format, for programs that take binaries only.

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [text, binary] = &words[..] else {
        eprintln!("usage: wat2wasm TEXT BINARY");
        return ExitCode::FAILURE;
    };
    let done = wat::parse_file(text)
        .map_err(|error| error.to_string())
        .and_then(|bytes| std::fs::write(binary, bytes).map_err(|error| format!("{binary}: {error}")));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wat2wasm: {error}");
            ExitCode::FAILURE
        }
    }
}
