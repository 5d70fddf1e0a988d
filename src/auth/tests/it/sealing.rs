//! Sealed values: what opens them and what does not.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use cpq_auth::Keyring;
use cpq_domain::Code;
use cpq_domain::id::ConnectionName;
use secrecy::SecretString;

use crate::world::TestWorld;
use crate::{SEALING_KEY, Street, crm};

fn ring() -> Keyring {
    Keyring::from_base64(&SecretString::from(SEALING_KEY)).unwrap()
}

fn sealed(ring: &Keyring) -> Vec<u8> {
    ring.seal("grant", &crm(), b"secret", &TestWorld::default())
        .unwrap()
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sealing.key");
    (folder, path)
}

#[test]
fn what_was_sealed_opens_for_the_same_use_only() {
    let (ring, other) = (ring(), ConnectionName::new("crm2").unwrap());
    let sealed = sealed(&ring);
    assert_eq!(ring.open("grant", &crm(), &sealed).unwrap().as_slice(), b"secret");
    assert_eq!(
        ring.open("grant", &other, &sealed).unwrap_err().code,
        Code::SealingKeyWrong
    );
    assert_eq!(
        ring.open("other", &crm(), &sealed).unwrap_err().code,
        Code::SealingKeyWrong
    );
    assert!(!sealed.windows(6).any(|part| part == b"secret"));
}

#[test]
fn no_changed_byte_and_no_cut_goes_unseen() {
    let ring = ring();
    let good = sealed(&ring);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert_eq!(
            ring.open("grant", &crm(), &bad).unwrap_err().code,
            Code::SealingKeyWrong,
            "byte {at}"
        );
        assert_eq!(
            ring.open("grant", &crm(), &good[..at]).unwrap_err().code,
            Code::SealingKeyWrong,
            "cut {at}"
        );
    }
}

#[test]
fn sealing_twice_gives_two_texts() {
    let ring = ring();
    assert_ne!(sealed(&ring), sealed(&ring));
}

#[test]
fn a_wrong_key_is_named() {
    let sealed = sealed(&ring());
    let wrong = Keyring::from_base64(&SecretString::from("/".repeat(42) + "8=")).unwrap();
    let error = wrong.open("grant", &crm(), &sealed).unwrap_err();
    assert_eq!(error.code, Code::SealingKeyWrong);
    assert!(
        error.message.contains(&ring().key_ids()[0].to_string()),
        "{error}"
    );
}

#[test]
fn a_value_with_the_new_key_in_front_opens_both() {
    let old = sealed(&ring());
    let both =
        Keyring::from_base64(&SecretString::from(format!("{}8=,{SEALING_KEY}", "/".repeat(42)))).unwrap();
    assert!(both.open("grant", &crm(), &old).is_ok());
    assert_ne!(Keyring::sealed_with(&sealed(&both)), Keyring::sealed_with(&old));
}

#[test]
fn a_value_that_is_no_key_is_refused_without_showing_it() {
    for bad in [
        "",
        "canary",
        "Y2FuYXJ5",
        &format!("{SEALING_KEY},"),
        &format!("{SEALING_KEY}{SEALING_KEY}"),
    ] {
        let error = Keyring::from_base64(&SecretString::from(bad)).unwrap_err();
        assert_eq!(error.code, Code::ConfigInvalid);
        assert!(!format!("{error:?}").contains("canary"));
    }
}

#[test]
fn the_key_file_is_made_once_and_only_for_its_owner() {
    let (_folder, path) = file();
    let first = Keyring::from_file(&path, &TestWorld::default()).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let again = Keyring::from_file(&path, &TestWorld::default()).unwrap();
    assert!(again.open("grant", &crm(), &sealed(&first)).is_ok());
}

#[test]
fn many_processes_make_one_key_file() {
    let (_folder, path) = file();
    let start = || {
        Keyring::from_file(&path, &TestWorld::default())
            .unwrap()
            .key_ids()
    };
    let ids = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(start)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert!(ids.iter().all(|id| id == &ids[0]), "{ids:?}");
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let (_folder, path) = file();
    Keyring::from_file(&path, &TestWorld::default()).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o666] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = Keyring::from_file(&path, &TestWorld::default()).unwrap_err();
        assert_eq!(error.code, Code::ConfigInvalid, "{mode:o}");
        assert!(error.advice().contains("chmod 600"), "{}", error.advice());
    }
}

#[test]
fn a_damaged_key_file_is_refused_and_left_alone() {
    let (_folder, path) = file();
    Keyring::from_file(&path, &TestWorld::default()).unwrap();
    let good = std::fs::read_to_string(&path).unwrap();
    for bad in [
        String::new(),
        "hello".to_owned(),
        good.replace("cpq-key-1 ", "cpq-key-1 0"),
        good.trim_end()[..90].to_owned(),
    ] {
        std::fs::write(&path, &bad).unwrap();
        assert_eq!(
            Keyring::from_file(&path, &TestWorld::default()).unwrap_err().code,
            Code::ConfigInvalid,
            "{bad}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), bad);
    }
}

#[tokio::test]
async fn a_grant_whose_hosts_were_changed_in_the_database_does_not_open() {
    let street = Street::new().await;
    street.connected().await;
    let good = street.vault.grant(&crm());
    street.vault.tamper(&crm(), |grant| {
        grant.settings.login_url = "https://evil.example".to_owned()
    });
    assert_eq!(
        street.broker().refresh(&crm()).await.unwrap_err().code,
        Code::SealingKeyWrong
    );
    let moved = ConnectionName::new("moved").unwrap();
    let mut copy = good;
    copy.settings.name = moved.clone();
    street.vault.put(copy);
    assert_eq!(
        street.broker().session(&moved).access().await.unwrap_err().code,
        Code::SealingKeyWrong
    );
    assert_eq!(street.endpoint.token_requests(), 1);
}
