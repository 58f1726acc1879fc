//! The order of service against its definition, for all small sets.

use super::{
    DuplicateLock, Read, UpgradableRead, Write,
    set::{Refusal, Turn, arrange, into_positions},
};
use crate::RwLock;

static_assertions::assert_eq_size!(Read<'static, RwLock<u64>>, usize);
static_assertions::assert_eq_size!(Write<'static, RwLock<u64>>, usize);
static_assertions::assert_eq_size!(UpgradableRead<'static, RwLock<u64>>, usize);

/// All words of `length` letters below `letters`.
fn words(length: u32, letters: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..letters.pow(length))
        .map(move |number| (0..length).map(|place| number / letters.pow(place) % letters).collect())
}

fn turns(addresses: &[usize]) -> Vec<Turn> {
    let turn = |(position, &address)| Turn { address, position };
    addresses.iter().enumerate().map(turn).collect()
}

/// By its definition: the lowest `second` with an equal before it, and the nearest such.
fn duplicate(addresses: &[usize]) -> Option<DuplicateLock> {
    (0..addresses.len()).find_map(|second| {
        let first = addresses[..second].iter().rposition(|&other| other == addresses[second])?;
        Some(DuplicateLock { first, second })
    })
}

#[test]
fn every_small_set_is_arranged_or_refused() {
    for length in 0..=6 {
        for addresses in words(length, 6) {
            let mut turns = turns(&addresses);
            match (arrange(&mut turns), duplicate(&addresses)) {
                (Err(refusal), Some(expected)) => {
                    assert_eq!(refusal, Refusal::Duplicate(expected), "{addresses:?}");
                }
                (Ok(()), None) => {
                    assert!(turns.windows(2).all(|pair| pair[0].address < pair[1].address));
                    assert!(turns.iter().all(|turn| turn.address == addresses[turn.position]));
                }
                (result, expected) => panic!("{addresses:?}: {result:?}, not {expected:?}"),
            }
        }
    }
}

#[test]
fn a_long_set_is_arranged_too() {
    let addresses: Vec<_> = (0..1_000).map(|index| index * 7 % 1_000).collect();
    let mut turns = turns(&addresses);
    assert_eq!(arrange(&mut turns), Ok(()));
    assert!(turns.iter().map(|turn| turn.address).eq(0..1_000));
}

#[test]
fn guards_come_back_to_their_positions() {
    for length in 0..=6 {
        for addresses in words(length, 6).filter(|addresses| duplicate(addresses).is_none()) {
            let mut turns = turns(&addresses);
            arrange(&mut turns).expect("no duplicates");
            let mut guards: Vec<_> = turns.iter().map(|turn| turn.address).collect();
            into_positions(&mut guards, &mut turns);
            assert_eq!(guards, addresses);
        }
    }
}
