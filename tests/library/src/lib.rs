//! The modules of the integration tests, for the stock worker to load.

use reedbed::Module;

reedbed_worker::export_modules![..modules()];

fn modules() -> Vec<Module> {
    let mut modules = reedbed_tests::modules::all();
    match std::env::var("TEST_LIBRARY").as_deref() {
        Ok("panics") => panic!("told to panic before it serves"),
        Ok("twice") => modules.extend_from_within(..1),
        _ => {}
    }
    modules
}
