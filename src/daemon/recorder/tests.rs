use super::*;
use crate::shift::event::StartedBy;

fn journal(folder: &tempfile::TempDir) -> Journal {
    Journal::open(&folder.path().join("journal.db")).unwrap()
}

fn drawer() -> Event {
    Event::DrawerLeftOpen {}
}

fn started() -> Event {
    Event::OpeningStarted { by: StartedBy::Drawer }
}

#[tokio::test]
async fn events_are_told_by_rising_numbers_even_when_some_wait_for_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, thread) = start(journal(&folder)).unwrap();
    let mut told = recorder.listen();
    let id = OpeningId::from_bits(1);
    let mut answers = Vec::new();
    for _ in 0..50 {
        recorder.note("front-1", drawer());
        answers.push(recorder.begin("front-1", Some(&id), started()));
    }
    let mut last = 0;
    for n in 0..100 {
        let row = told.recv().await.unwrap();
        assert!(row.seq > last);
        last = row.seq;
        assert_eq!(row.event, if n % 2 == 0 { drawer() } else { started() });
    }
    for answer in answers {
        assert!(answer.await.unwrap().is_ok());
    }
    let rows = recorder.ask(|j| j.rows_after(0, 1000)).await.unwrap();
    assert_eq!(rows.len(), 100);
    thread.stop();
    assert_eq!(crate::journal::verify(&folder.path().join("journal.db")).unwrap().0, 100);
}

#[tokio::test]
async fn an_event_that_could_not_be_written_is_never_told_and_holds_up_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, thread) = start(journal(&folder)).unwrap();
    let counted = |device: &str| {
        Event::OpeningCounted(crate::shift::event::Counted {
            staff_name: "Robin".into(),
            staff_member_id: "gid://shopify/StaffMember/1".into(),
            point_of_sale_device_id: device.into(),
            reason_code_id: None,
            balance: crate::shift::event::Money { amount: "1.00".into(), currency: "USD".into() },
            lines: vec![],
            time: "2026-11-23T07:00:00Z".into(),
            note: String::new(),
        })
    };
    assert!(recorder.begin("a", Some(&OpeningId::from_bits(1)), counted("d")).await.unwrap().is_ok());
    let mut told = recorder.listen();
    let refused = recorder.begin("a", Some(&OpeningId::from_bits(2)), counted("d"));
    recorder.note("a", drawer());
    assert!(refused.await.unwrap().is_err(), "one unresolved opening per device");
    assert_eq!(told.recv().await.unwrap().event, drawer());
    thread.stop();
}
