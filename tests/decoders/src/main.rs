//! Writes the seeds of fuzz targets, and shows what a check makes of a file.
//!
//! ```text
//! reedbed-decoders seeds FOLDER
//! reedbed-decoders check DECODER FILE..
//! ```

#![expect(clippy::print_stdout, reason = "a program of its own")]

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use reedbed_decoders::{Counting, DECODERS, decoder, seeds};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["seeds", folder] => write_seeds(Path::new(folder)),
        ["check", name, files @ ..] => {
            let decoder = decoder(name).ok_or_else(|| format!("there is no decoder {name}"))?;
            for file in files {
                let verdict = (decoder.check)(&fs::read(file)?);
                println!("{file}: {verdict:?}");
            }
            Ok(())
        }
        _ => Err("usage: reedbed-decoders seeds FOLDER | check DECODER FILE..".into()),
    }
}

/// Writes a folder for each decoder, and prints its name and the length of its inputs.
fn write_seeds(folder: &Path) -> Result<(), Box<dyn Error>> {
    for decoder in DECODERS {
        let folder = folder.join(decoder.name);
        fs::create_dir_all(&folder)?;
        for (name, bytes) in seeds::seeds(decoder.name) {
            fs::write(folder.join(name), bytes)?;
        }
        println!("{} {}", decoder.name, decoder.longest_bytes);
    }
    Ok(())
}
