#![no_main]

use reedbed_decoders::RING;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reedbed_fuzz::check(&RING, bytes));
