#![no_main]

use reedbed_decoders::FRAME;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reedbed_fuzz::check(&FRAME, bytes));
