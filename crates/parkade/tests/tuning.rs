//! Evidence for: the environment sets the tuning, bad values are reported once and change nothing,
//! and a set value reaches the locks.

use parkade::{Mutex, tuning};
use std::{
    process::{Command, Output},
    thread,
    time::Duration,
};

/// Tells the test below that it runs as the child of another.
const CHILD: &str = "PARKADE_TUNING_TEST_CHILD";

fn variable(setting: &tuning::Setting) -> String {
    format!("PARKADE_{}", setting.name().to_uppercase())
}

/// In a child process: contends for locks from several threads, then prints the settings.
#[test]
fn child_contends_and_prints_its_settings() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let locks = [const { Mutex::new(0_u32) }; 4];
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for i in 0..4_000 {
                    *locks[i % 4].lock() += 1;
                }
            });
        }
    });
    let total: u32 = locks.into_iter().map(Mutex::into_inner).sum();
    println!("SETTINGS {total} {:?} {:?}", tuning::spin(), tuning::fair_interval());
    for setting in tuning::settings() {
        println!("SETTING {}={};", setting.name(), setting.value());
    }
}

/// What a child with this environment prints.
fn output_of_child(environment: &[(&str, &str)]) -> (String, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child_contends_and_prints_its_settings", "--nocapture"]);
    command.env(CHILD, "1");
    for setting in tuning::settings() {
        command.env_remove(variable(setting));
    }
    command.envs(environment.iter().copied());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(status.success(), "{stdout}\n{stderr}");
    (stdout, stderr)
}

fn child(environment: &[(&str, &str)]) -> (String, String) {
    let (stdout, stderr) = output_of_child(environment);
    let settings = stdout.split("SETTINGS ").nth(1).unwrap().lines().next().unwrap();
    (settings.to_owned(), stderr)
}

#[test]
fn the_environment_sets_both() {
    let (settings, stderr) = child(&[("PARKADE_SPIN_NS", "1234"), ("PARKADE_FAIR_US", "77")]);
    assert_eq!(settings, "32000 1.234µs 77µs");
    assert!(!stderr.contains("parkade:"), "{stderr}");
}

#[test]
fn every_setting_has_a_variable_of_its_own() {
    for setting in tuning::settings() {
        let other = setting.range().find(|&units| units != setting.default_value()).unwrap();
        let (stdout, stderr) = output_of_child(&[(&variable(setting), &other.to_string())]);
        for known in tuning::settings() {
            let value = if known.name() == setting.name() { other } else { known.default_value() };
            let line = format!("SETTING {}={value};", known.name());
            assert!(stdout.contains(&line), "{line} is not in {stdout}");
        }
        assert!(!stderr.contains("parkade:"), "{stderr}");
    }
}

#[test]
fn the_extremes_of_the_ranges_work() {
    let (settings, _) = child(&[("PARKADE_SPIN_NS", "0"), ("PARKADE_FAIR_US", "1")]);
    assert_eq!(settings, "32000 0ns 1µs");
    let (settings, _) = child(&[("PARKADE_SPIN_NS", "1000000"), ("PARKADE_FAIR_US", "1000000")]);
    assert_eq!(settings, "32000 1ms 1s");
}

#[test]
fn a_bad_value_is_reported_once_and_the_default_is_kept() {
    let (defaults, _) = child(&[]);
    for bad in ["", "fast", "-3", "1e3", "1000001"] {
        let (settings, stderr) = child(&[("PARKADE_SPIN_NS", bad), ("PARKADE_FAIR_US", bad)]);
        assert_eq!(settings, defaults, "{bad}");
        for variable in ["PARKADE_SPIN_NS", "PARKADE_FAIR_US"] {
            assert_eq!(stderr.matches(variable).count(), 1, "{bad}: {stderr}");
        }
    }
}

#[test]
fn an_error_names_the_range_and_changes_nothing() {
    let before = tuning::fair_interval();
    let error = tuning::set_fair_interval(Duration::from_secs(5)).unwrap_err();
    assert_eq!(error.to_string(), "fair_us of 5s is out of range (1µs to 1s)");
    assert_eq!(tuning::fair_interval(), before);
}
