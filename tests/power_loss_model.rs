//! The two pure pages of the power-loss proof: which disks are legal after a cut, and how a record is read.
#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test")]

#[path = "power_loss/dice.rs"]
mod dice;
#[path = "power_loss/disk.rs"]
mod disk;
#[path = "power_loss/record.rs"]
mod record;

mod a_disk {
    use std::{collections::BTreeSet, sync::Arc};

    use super::{
        dice::Dice,
        disk::{Cut, Disk, Image, Op},
    };

    fn write(at: usize, bytes: &[u8]) -> Op {
        Op::Write(0, at, Arc::from(bytes))
    }

    /// File 0, `a`, at rest with this content, and then these operations.
    fn after(content: &[u8], ops: &[Op]) -> Disk {
        let mut disk = Disk::holding(&Image::from([("a".to_owned(), content.to_vec())]));
        ops.iter().for_each(|op| disk.apply(op));
        disk
    }

    /// What `a` may be after this cut; `None` for no file.
    fn outcomes(disk: &Disk, cut: Cut) -> BTreeSet<Option<Vec<u8>>> {
        (0..2000).map(|seed| disk.image(cut, &mut Dice::new(seed)).remove("a")).collect()
    }

    fn content(disk: &Disk, cut: Cut) -> BTreeSet<Vec<u8>> {
        outcomes(disk, cut).into_iter().flatten().collect()
    }

    #[test]
    fn what_was_synced_is_there_after_every_cut() {
        let synced = after(&[1; 2000], &[write(300, &[2; 1000]), Op::Resize(0, 1900), Op::Sync(0)]);
        let expected = [vec![1; 300], vec![2; 1000], vec![1; 600]].concat();
        assert!(synced.is_at_rest());
        for cut in Cut::ALL {
            assert_eq!(outcomes(&synced, cut), BTreeSet::from([Some(expected.clone())]), "{cut:?}");
        }
    }

    #[test]
    fn nothing_and_everything_are_the_two_ends() {
        let disk = after(b"old", &[write(0, b"newer"), Op::Resize(0, 4), write(6, b"x")]);
        assert!(disk.is_pending("a") && !disk.names_are_pending());
        assert_eq!(content(&disk, Cut::Nothing), BTreeSet::from([b"old".to_vec()]));
        assert_eq!(content(&disk, Cut::Everything), BTreeSet::from([b"newe\0\0x".to_vec()]));
    }

    #[test]
    fn a_synced_file_may_still_be_without_its_name_until_the_folder_is_synced() {
        let mut disk = Disk::default();
        for op in [Op::Create("a".into()), write(0, b"x"), Op::Sync(0)] {
            disk.apply(&op);
        }
        assert!(disk.names_are_pending());
        assert_eq!(outcomes(&disk, Cut::Any), BTreeSet::from([None, Some(b"x".to_vec())]));
        assert_eq!(outcomes(&disk, Cut::Nothing), BTreeSet::from([None]));
        disk.apply(&Op::SyncFolder);
        assert_eq!(outcomes(&disk, Cut::Nothing), BTreeSet::from([Some(b"x".to_vec())]));
    }

    #[test]
    fn a_name_that_was_given_up_may_come_back_with_its_old_content_until_the_folder_is_synced() {
        let mut disk = after(b"first", &[Op::Unlink("a".into()), Op::Create("a".into())]);
        disk.apply(&Op::Write(1, 0, Arc::from(*b"second")));
        disk.apply(&Op::Sync(1));
        let all = BTreeSet::from([Some(b"first".to_vec()), None, Some(b"second".to_vec())]);
        assert_eq!(outcomes(&disk, Cut::Any), all);
        disk.apply(&Op::SyncFolder);
        assert_eq!(outcomes(&disk, Cut::Any), BTreeSet::from([Some(b"second".to_vec())]));
    }

    #[test]
    fn the_orderly_cuts_leave_out_what_they_say() {
        let old = [b'.'; 3];
        let three = [write(0, b"1"), write(1, b"2"), write(2, b"3")];
        let disk = after(&old, &three);
        let set = |texts: &[&str]| texts.iter().map(|t| t.as_bytes().to_vec()).collect::<BTreeSet<_>>();
        assert_eq!(content(&disk, Cut::AllButOne), set(&[".23", "1.3", "12."]));
        assert_eq!(content(&disk, Cut::OnlyLast), set(&["..3"]));
        assert_eq!(content(&disk, Cut::Reversed), set(&["123", ".23", "..3"]));
        assert_eq!(content(&disk, Cut::InOrder), set(&["...", "1..", "12.", "123"]));
        let any = set(&["...", "1..", ".2.", "..3", "12.", "1.3", ".23", "123"]);
        assert_eq!(content(&disk, Cut::Any), any);
    }

    #[test]
    fn a_page_cache_shows_a_sector_as_it_was_at_one_moment() {
        let disk = after(&[0; 512], &[write(0, &[1; 512]), write(0, &[2; 512])]);
        let mut torn = 0;
        for bytes in content(&disk, Cut::PageCache) {
            let versions: BTreeSet<_> = bytes.iter().copied().collect();
            assert!(!(versions.contains(&0) && versions.contains(&2)), "the second write without the first: {bytes:?}");
            torn += usize::from(versions.len() == 2);
        }
        assert!(torn > 10, "sectors are torn");
        assert!(content(&disk, Cut::Any).iter().any(|bytes| bytes.contains(&0) && bytes.contains(&2)));
    }

    #[test]
    fn sectors_of_one_write_come_in_any_order_and_the_size_is_one_that_it_had() {
        let disk = after(&[], &[write(0, &[1; 1024]), write(1024, &[1; 512])]);
        let left = content(&disk, Cut::Any);
        assert!(left.iter().any(|b| b.len() >= 1024 && b[..512] == [0; 512] && b[512..1024] == [1; 512]));
        assert!(left.iter().any(|b| b.len() >= 1024 && b[..512] == [1; 512] && b[512..1024] == [0; 512]));
        let sizes: BTreeSet<_> = left.iter().map(Vec::len).collect();
        assert_eq!(sizes, BTreeSet::from([0, 1024, 1536]));
    }

    #[test]
    fn noise_harms_only_bytes_that_were_being_written() {
        let disk = after(&[7; 1024], &[write(100, &[8; 500])]);
        let left = content(&disk, Cut::Noise);
        assert!(left.iter().all(|b| b[..100] == [7; 100] && b[600..] == [7; 424]));
        assert!(left.iter().any(|b| b[100..600].iter().any(|byte| !matches!(byte, 7 | 8))));
    }
}

mod a_record {
    use std::sync::Arc;

    use super::{
        disk::Op,
        record::{Entry, Reader},
    };

    fn hex(text: &str) -> String {
        text.bytes().map(|b| format!("\\x{b:02x}")).collect()
    }

    /// `"text"` and `<path>` as strace writes them with -xx.
    fn traced(lines: &str) -> Vec<u8> {
        let mut out = String::new();
        let mut rest = lines;
        while let Some(begin) = rest.find(['"', '{']) {
            let close = if rest.as_bytes()[begin] == b'"' { '"' } else { '}' };
            let end = begin + 1 + rest[begin + 1..].find(close).unwrap();
            let (open, shut) = if close == '"' { ("\"", "\"") } else { ("<", ">") };
            out += &format!("{}{open}{}{shut}", &rest[..begin], hex(&rest[begin + 1..end]));
            rest = &rest[end + 1..];
        }
        (out + rest).into_bytes()
    }

    fn read(lines: &str) -> Result<Vec<Entry>, String> {
        Reader::new("/t", "/notes", std::iter::once("old".to_owned())).read(&traced(lines))
    }

    fn disk(op: Op) -> Entry {
        Entry::Disk(op)
    }

    #[test]
    fn the_calls_on_the_folder_become_operations_and_others_do_not() {
        let entries = read(
            r#"7 openat(AT_FDCWD{/home}, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 3{/etc/hosts}
7 openat(AT_FDCWD{/home}, "/t/new", O_RDWR|O_CREAT|O_CLOEXEC, 0640) = 4{/t/new}
7 openat(AT_FDCWD{/home}, "/t/missing", O_RDONLY) = -1 ENOENT (No such file or directory)
7 openat(AT_FDCWD{/home}, "/t/old", O_RDWR|O_TRUNC) = 5{/t/old}
7 openat(AT_FDCWD{/home}, "/t/old-shm", O_RDWR|O_CREAT, 0640) = 6{/t/old-shm}
7 openat(AT_FDCWD{/home}, "/notes", O_WRONLY|O_APPEND) = 8{/notes}
7 mmap(NULL, 32768, PROT_READ|PROT_WRITE, MAP_SHARED, 6{/t/old-shm}, 0) = 0x7f00
7 pwrite64(6{/t/old-shm}, "x", 1, 0) = 1
7 write(8{/notes}, "hello", 5) = 5
7 pwrite64(4{/t/new}, "abc", 3, 4096) = 2
7 write(1{pipe:[1]}, "abc", 3) = 3
7 fdatasync(4{/t/new}) = 0
7 close(4{/t/new}) = 0
7 openat(AT_FDCWD{/home}, "/t", O_RDONLY|O_CLOEXEC) = 4{/t}
7 fsync(4{/t}) = 0
7 ftruncate(5{/t/old}, 12) = 0
7 unlink("/t/new") = 0
7 openat(AT_FDCWD{/home}, "/t/new", O_RDWR|O_CREAT, 0640) = 9{/t/new}
7 +++ exited with 0 +++
"#,
        );
        let expected = [
            disk(Op::Create("new".into())),
            disk(Op::Resize(0, 0)),
            Entry::Note(b"hello".to_vec()),
            // Only two of three bytes were taken.
            disk(Op::Write(1, 4096, Arc::from(*b"ab"))),
            disk(Op::Sync(1)),
            disk(Op::SyncFolder),
            disk(Op::Resize(0, 12)),
            disk(Op::Unlink("new".into())),
            disk(Op::Create("new".into())),
        ];
        assert_eq!(entries.unwrap(), expected);
    }

    #[test]
    fn a_call_of_one_thread_counts_when_it_is_done() {
        let entries = read(
            r#"7 openat(AT_FDCWD{/home}, "/t/old", O_RDWR) = 3{/t/old}
7 fsync(3{/t/old} <unfinished ...>
8 pwrite64(3{/t/old}, "a", 1, 0) = 1
7 <... fsync resumed>) = 0
"#,
        );
        assert_eq!(entries.unwrap(), [disk(Op::Write(0, 0, Arc::from(*b"a"))), disk(Op::Sync(0))]);
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        let open = "7 openat(AT_FDCWD{/home}, \"/t/old\", O_RDWR) = 3{/t/old}\n";
        for (line, what) in [
            (r#"7 rename("/t/old", "/t/new") = 0"#, "a call that is not known here"),
            ("7 fallocate(3{/t/old}, 0, 0, 4096) = 0", "a call that is not known here"),
            ("7 dup(3{/t/old}) = 4{/t/old}", "a call that is not known here"),
            (r#"7 write(3{/t/old}, "a", 1) = 1"#, "a way of writing that is not known here"),
            (r#"7 pwrite64(9{/t/old}, "a", 1, 0) = 1"#, "a descriptor that was opened unseen"),
            ("7 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3{/t/old}, 0) = 0x7f00", "written through memory"),
            (r#"7 pwrite64(3{/t/old}, "a"..., 100, 0) = 100"#, "cut short"),
            ("7 fsync(3{/t/old}", "no result"),
        ] {
            let error = read(&format!("{open}{line}\n")).unwrap_err();
            assert!(error.contains(what), "{line}: {error}");
        }
    }
}
