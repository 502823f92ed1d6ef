//! Every check holds for the seeds, for what once was a finding, and for mutations of both.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::{fs, panic};

use proptest::test_runner::{Config, TestRng, TestRunner};
use proptest::{prelude::*, sample};
use reedbed_decoders::{Counting, DECODERS, Decoder, Verdict, seeds};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Mutations of each decoder's inputs. The fuzz targets go on where this ends.
const N_MUTATIONS: u32 = 500;

fn regressions(decoder: &Decoder) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/regressions"));
    let Ok(files) = fs::read_dir(folder.join(decoder.name)) else {
        return Vec::new();
    };
    let read = |file: std::io::Result<fs::DirEntry>| {
        let path = file.unwrap().path();
        (path.display().to_string(), fs::read(&path).unwrap())
    };
    files.map(read).collect()
}

#[test]
fn seeds_are_accepted() {
    for decoder in DECODERS {
        let seeds = seeds::seeds(decoder.name);
        let is_accepted =
            |(_, bytes): &&(String, Vec<u8>)| (decoder.check)(bytes) == Verdict::Accepted;
        let n_accepted = seeds.iter().filter(is_accepted).count();
        // A few are there for what is refused.
        assert!(
            2 * n_accepted > seeds.len(),
            "{}: {n_accepted} of {}",
            decoder.name,
            seeds.len()
        );
    }
}

#[test]
fn what_once_was_a_finding_is_none_now() {
    for decoder in DECODERS {
        for (path, bytes) in regressions(&decoder) {
            let checked = panic::catch_unwind(|| (decoder.check)(&bytes));
            assert!(checked.is_ok(), "{path}");
        }
    }
}

#[test]
fn checks_hold_for_mutations() {
    for decoder in DECODERS {
        let inputs = [seeds::seeds(decoder.name), regressions(&decoder)].concat();
        let inputs: Vec<_> = inputs.into_iter().map(|(_, bytes)| bytes).collect();
        let mutations = (
            sample::select(inputs),
            prop::collection::vec((any::<sample::Index>(), byte()), 0..5),
            any::<sample::Index>(),
        );
        let config = Config {
            cases: N_MUTATIONS,
            failure_persistence: None,
            ..Config::default()
        };
        // The same ones each time: what is new is for the fuzzers to find.
        let rng = TestRng::deterministic_rng(config.rng_algorithm);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let held = runner.run(&mutations, |(mut bytes, changes, end)| {
            for (at, byte) in changes {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
            }
            // Half of them keep their length.
            bytes.truncate(end.index(2 * bytes.len() + 1));
            (decoder.check)(&bytes);
            Ok(())
        });
        if let Err(error) = held {
            panic!("{}: {error}", decoder.name);
        }
    }
}

fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![any::<u8>(), 0..4u8, Just(u8::MAX)]
}
