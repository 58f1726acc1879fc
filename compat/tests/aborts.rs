//! What happens to a process whose callback panics.

/// A callback that panics ends the process instead of leaving a queue locked.
#[test]
fn a_callback_that_panics_aborts() {
    const VARIABLE: &str = "ABORT_TESTS_PANIC_IN";
    let word = 0_u8;
    let key = core::ptr::from_ref(&word).addr();
    let token = parking_lot_core::DEFAULT_PARK_TOKEN;
    match std::env::var(VARIABLE).as_deref() {
        Ok("validate") => {
            let validate = || panic!("on purpose");
            // SAFETY: the duty not to panic is broken on purpose; the process ends.
            unsafe { parking_lot_core::park(key, validate, || {}, |_, _| {}, token, None) };
        }
        Ok("unpark") => {
            // SAFETY: as above.
            unsafe { parking_lot_core::unpark_one(key, |_| panic!("on purpose")) };
        }
        _ => {
            for place in ["validate", "unpark"] {
                let mut child = std::process::Command::new(std::env::current_exe().unwrap());
                child.args(["--exact", "aborts::a_callback_that_panics_aborts", "--nocapture"]);
                let output = child.env(VARIABLE, place).output().unwrap();
                let text = String::from_utf8_lossy(&output.stderr);
                assert!(text.contains("on purpose"), "{place} was not reached: {text}");
                // A test that fails exits with a code; a process that aborts has none, or another.
                assert!(output.status.code().is_none_or(|code| code != 101 && code != 0));
            }
        }
    }
}
