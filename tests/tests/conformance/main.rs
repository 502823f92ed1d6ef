//! One suite for every implementation: a worker in a process of its own program, in one of this
//! very program, in one of the stock worker, and on a thread; under Reedbed's own dispatcher and
//! tarpc's; over rings in shared memory, and over the socket alone; trusted, and not.
//!
//! A test is an ordinary function of a [`Setting`]; what a setting can't do is a named capability
//! that the test asks for, and checks what happens instead.
//!
//! This program runs itself as a worker, so `main` is its own, and the harness a library.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails where something is not as it should be"
)]

mod arguments;
mod bundles;
mod containers;
mod dynamic;
mod dynamic_bundles;
mod dynamic_containers;
mod dynamic_failures;
mod dynamic_parts;
mod elements;
mod failures;
mod leases;
mod ownership;
mod services;
mod shared;
mod traces;
mod values;

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use reedbed::{ChannelKind, Dispatcher, Segments, Stub, Trust, Worker};
use reedbed_tests::setting::{Place, Programs, Setting};

pub(crate) type TestResult = Result<(), Box<dyn std::error::Error>>;

/// What no test takes; a test that hangs fails here instead.
const WATCHDOG: Duration = Duration::from_secs(120);

/// Where workers run; the tests' names begin with it.
const PLACES: [(&str, Place); 4] = [
    ("process", Place::Process),
    ("thread", Place::Thread),
    ("itself", Place::Itself),
    ("library", Place::Library),
];

/// Who matches calls and answers, what carries the frames, and in how many of the places. Over the
/// socket, and where it isn't trusted, one kind of process stands for all.
const WAYS: [(&str, Trust, Dispatcher, ChannelKind, usize); 6] = [
    ("", TRUSTED, OWN, RING, PLACES.len()),
    ("_over_tarpc", TRUSTED, TARPC, RING, PLACES.len()),
    ("_over_socket", TRUSTED, OWN, SOCKET, 2),
    ("_over_tarpc_over_socket", TRUSTED, TARPC, SOCKET, 1),
    ("_untrusted", Trust::Untrusted, OWN, RING, 2),
    ("_untrusted_over_tarpc", Trust::Untrusted, TARPC, RING, 1),
];

const TRUSTED: Trust = Trust::Trusted;
const OWN: Dispatcher = Dispatcher::Reedbed;
const TARPC: Dispatcher = Dispatcher::Tarpc;
const RING: ChannelKind = ChannelKind::Ring;
const SOCKET: ChannelKind = ChannelKind::Socket;

pub(crate) fn main() -> ExitCode {
    reedbed_worker::init(&reedbed_tests::modules::all());
    let mut all = Vec::new();
    for (over, trust, dispatcher, channel, n_places) in WAYS {
        let n_places = match trust {
            // A thread makes what its process makes, which may be named segments.
            Trust::Untrusted if reedbed::segments() != Segments::Memfd => 1,
            _ => n_places,
        };
        for (name, place) in PLACES.into_iter().take(n_places) {
            let setting = Setting {
                place,
                dispatcher,
                channel,
                trust,
            };
            all.extend(trials(&format!("{name}{over}"), setting));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), all).exit_code()
}

/// Runs a test over one setting.
fn run<F: Future<Output = TestResult>>(test: impl FnOnce(Setting) -> F, setting: Setting) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let result = runtime.block_on(async {
        tokio::time::timeout(WATCHDOG, test(setting))
            .await
            .expect("the test hangs")
    });
    if let Err(error) = result {
        panic!("over {setting:?}: {error}");
    }
}

/// Starts a worker.
pub(crate) async fn start(setting: Setting) -> Result<Worker, Box<dyn std::error::Error>> {
    let programs = Programs {
        worker: env!("CARGO_BIN_EXE_test-worker"),
        stock: env!("CARGO_BIN_EXE_stock-worker"),
    };
    Ok(setting.start(programs).await?)
}

/// Starts a worker and imports one of its modules.
pub(crate) async fn import<S: Stub>(
    setting: Setting,
) -> Result<(Worker, S), Box<dyn std::error::Error>> {
    let worker = start(setting).await?;
    let client = worker.import().await?;
    Ok((worker, client))
}

/// Makes a test of each function, for one setting.
macro_rules! conformance {
    ($($module:ident: $($test:ident),+ $(,)?);+ $(;)?) => {
        fn trials(name: &str, setting: Setting) -> Vec<Trial> {
            vec![$($(
                Trial::test(
                    format!(concat!("{}::", stringify!($module), "::", stringify!($test)), name),
                    move || { run($module::$test, setting); Ok(()) },
                ),
            )+)+]
        }
    };
}

conformance! {
    shared: progress_is_seen_while_the_call_runs, a_flag_of_the_host_stops_the_function,
        two_workers_count_in_one_cell, a_run_of_cells_is_filled_by_many_calls,
        a_cell_outlives_a_crashed_worker, a_kept_cell_stays_shared,
        a_cell_of_one_worker_goes_on_to_another, a_cell_goes_there_and_back;
    values: values_come_back, long_values_travel_in_a_segment, errors_of_functions_are_their_own,
        asynchronous_functions_run, many_calls_are_in_flight_at_once, a_stub_can_block,
        the_module_describes_itself;
    arguments: an_array_is_lent, an_array_is_filled_in_place, heap_arrays_are_copied_there_and_back,
        copies_can_be_forbidden, options_and_tuples_hold_arrays, two_halves_are_filled_at_once,
        any_strides_travel, empty_and_scalar_arrays_travel, frozen_tensors_have_many_readers,
        segments_travel_bare;
    bundles: a_view_in_a_bundle_is_filled_in_place, an_enum_is_a_bundle,
        a_bundle_is_returned_and_passed_on, an_error_brings_an_array,
        a_panic_poisons_a_view_in_a_bundle, a_copy_in_a_bundle_can_be_forbidden,
        a_bundle_that_was_not_sent_comes_back_in_parts, bundles_lie_inside_one_another,
        a_bundle_is_part_of_the_signature;
    containers: a_list_is_lent, a_list_is_filled_in_place, a_thousand_tensors_go_there_and_back,
        more_arrays_than_negotiated_are_not_sent, what_could_not_be_sent_comes_back,
        copies_in_a_list_can_be_forbidden, fixed_numbers_and_maps_hold_arrays,
        containers_lie_inside_one_another, lists_of_segments_travel,
        a_list_is_part_of_the_signature;
    ownership: an_array_is_given_away, an_array_goes_there_and_back, results_are_tensors,
        results_are_recycled, results_go_on_to_another_worker, results_are_lent_back,
        a_transposed_result_keeps_its_strides;
    elements: every_element_type_travels, random_arrays_come_back_equal;
    dynamic: every_module_is_described, a_module_is_described_once, values_are_what_a_stub_sends,
        errors_are_values, opaque_types_travel_as_bytes, arrays_are_lent_without_a_copy,
        arrays_of_the_heap_are_copied, arrays_change_hands, segments_and_cells_are_passed,
        services_are_called, a_call_without_a_stub_can_block;
    dynamic_failures: a_dropped_call_without_a_stub_keeps_its_lease,
        a_deadline_holds_without_a_stub, what_could_not_be_sent_comes_back,
        what_does_not_fit_is_told_before_it_is_sent, values_inside_themselves_end,
        an_unpolled_call_without_a_stub_does_nothing;
    dynamic_containers: lists_are_lent, lists_are_filled_in_place, lists_change_hands,
        fixed_numbers_maps_and_boxes_hold_arrays, cells_are_returned;
    dynamic_bundles: bundles_are_lent, bundles_change_hands, errors_bring_arrays,
        copies_inside_can_be_forbidden;
    dynamic_parts: parts_come_back_by_name;
    leases: a_lent_array_is_refused_until_the_reply, a_dropped_call_keeps_its_lease,
        a_forgotten_call_keeps_its_lease, a_cancelled_write_poisons, an_unpolled_call_leases_nothing,
        a_leased_tensor_can_be_dropped, interleaved_halves_are_refused, a_deadline_ends_the_wait,
        an_early_return_poisons;
    failures: a_panic_is_its_callers_error, a_panic_poisons_what_it_wrote,
        an_error_poisons_nothing, a_crash_is_told_to_every_caller, shutdown_waits_for_calls,
        calls_after_the_end_are_not_sent, an_argument_over_the_limit_is_not_sent,
        what_was_received_outlives_the_worker, a_poisoned_half_stays_poisoned,
        a_result_over_the_limit_is_an_error, what_could_not_be_returned_goes_back,
        more_calls_than_fit_wait_for_room, an_empty_slice_stays_inside,
        a_function_may_run_its_program_as_a_worker;
    traces: a_trace_reaches_the_function, a_trace_goes_on_to_further_workers;
    services: instances_stand_side_by_side, a_constructor_fails_with_its_own_error,
        methods_of_one_instance_run_at_once, the_last_handle_drops_the_instance,
        a_call_outlives_its_handle, an_abandoned_constructor_leaves_nothing,
        a_late_constructor_leaves_nothing, an_unread_reply_leaves_nothing,
        a_panic_in_drop_harms_nobody, a_tensor_is_kept_between_calls,
        a_kept_tensor_goes_on_to_another_worker, many_instances_read_a_frozen_tensor,
        an_instance_ends_with_its_worker, an_interface_calls_what_it_names,
        an_implemented_interface_is_served, a_service_can_block;
}
