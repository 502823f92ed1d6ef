#![no_main]

use reedbed_decoders::NPY;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reedbed_fuzz::check(&NPY, bytes));
