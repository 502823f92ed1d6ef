#![no_main]

use reedbed_decoders::SCHEMA;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reedbed_fuzz::check(&SCHEMA, bytes));
