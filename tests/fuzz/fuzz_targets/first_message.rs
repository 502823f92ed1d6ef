#![no_main]

use reedbed_decoders::FIRST_MESSAGE;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reedbed_fuzz::check(&FIRST_MESSAGE, bytes));
