#![no_main]

use reedbed_decoders::BODY;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reedbed_fuzz::check(&BODY, bytes));
