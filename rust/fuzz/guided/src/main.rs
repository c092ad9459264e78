//! One target under libFuzzer, named by the environment variable `FUZZ_TARGET`; see `make fuzz`.
#![no_main]
#![allow(missing_docs)]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<trivox_fuzz::Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    trivox_fuzz::target(&name).unwrap_or_else(|| panic!("FUZZ_TARGET is no target: {name:?}"))
});

fuzz_target!(|data: &[u8]| TARGET(data));
