//! All targets over their seeds, then over mutations for as long as `FUZZ_SECONDS` says.
//!
//! `FUZZ_SEED` plays the mutations of a failed run again.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use trivox_fuzz::mutate::{Mutator, words};
use trivox_fuzz::{TARGETS, Target};

const SEED: u64 = 20_260_101;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths: Vec<_> = fs::read_dir(folder).map_or_else(
        |_| Vec::new(),
        |entries| entries.map(|entry| entry.unwrap().path()).collect(),
    );
    paths.sort();
    let of_data = paths.into_iter().filter(|path| path.is_file());
    of_data
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect()
}

/// The seeds of a target; those of SIP messages are the torture messages too.
fn seeds(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = files(&here(&format!("seeds/{name}")));
    if ["message", "core", "stream"].contains(&name) {
        for set in ["rfc4475", "rfc5118"] {
            let torture = files(&here(&format!("../../tests/data/torture/{set}")));
            let prefix: &[u8] = if name == "message" { b"" } else { b"\0" };
            all.extend(
                torture
                    .into_iter()
                    .map(|(path, data)| (path, [prefix, &data].concat())),
            );
        }
    }
    all
}

fn setting(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok().and_then(|text| text.parse().ok());
    set.unwrap_or(default)
}

fn run(target: Target, name: &str, what: &str, data: &[u8]) {
    let done = catch_unwind(AssertUnwindSafe(|| target(data)));
    assert!(
        done.is_ok(),
        "{name} fails on {what}: {}",
        data.escape_ascii()
    );
}

#[test]
fn every_target_has_seeds_and_takes_them() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() > 1, "{name} has {} seeds", seeds.len());
        for (path, data) in seeds {
            run(*target, name, &path.display().to_string(), &data);
        }
    }
}

#[test]
fn every_target_takes_mutations_of_its_seeds() {
    let seed = setting("FUZZ_SEED", SEED);
    let share = Duration::from_millis(1000 * setting("FUZZ_SECONDS", 5) / TARGETS.len() as u64);
    let words = words(&fs::read_to_string(here("dictionary.txt")).unwrap());
    for (name, target) in TARGETS {
        let seeds: Vec<_> = seeds(name).into_iter().map(|(_, data)| data).collect();
        let mut mutator = Mutator::new(seed, &seeds, &words);
        let begin = Instant::now();
        let mut inputs = 0_u64;
        while begin.elapsed() < share {
            let data = mutator.next_input();
            run(
                *target,
                name,
                &format!("input {inputs} of FUZZ_SEED={seed}"),
                &data,
            );
            inputs += 1;
        }
        eprintln!("{name}: {inputs} inputs");
        assert!(inputs > 0);
    }
}
