//! The same as with std.

use std::io::{ErrorKind, IoSlice, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::time::{Duration, SystemTime};

use greenroom::fs::{self, File, FileTimes, OpenOptions, Permissions};

use crate::{Folder, both};

#[test]
fn functions() {
    both(|| {
        let folder = Folder::new();
        let (a, b, c) = (folder.at("a"), folder.at("b"), folder.at("c"));
        fs::write(&a, b"text").unwrap();
        assert_eq!(fs::read(&a).unwrap(), b"text");
        assert_eq!(fs::read_to_string(&a).unwrap(), "text");
        assert_eq!(fs::copy(&a, &b).unwrap(), 4);
        fs::rename(&b, &c).unwrap();
        assert!(!fs::exists(&b).unwrap() && fs::exists(&c).unwrap());
        fs::hard_link(&a, &b).unwrap();
        assert_eq!(fs::metadata(&a).unwrap().nlink(), 2);
        fs::remove_file(&b).unwrap();
        fs::symlink(&a, &b).unwrap();
        assert_eq!(fs::read_link(&b).unwrap(), a);
        assert!(fs::symlink_metadata(&b).unwrap().is_symlink());
        assert_eq!(fs::canonicalize(&b).unwrap(), a.canonicalize().unwrap());
        fs::set_permissions(&c, Permissions::from_mode(0o400)).unwrap();
        assert_eq!(fs::metadata(&c).unwrap().mode() & 0o777, 0o400);
        fs::write(&c, [0xff]).unwrap_or_default();
        let missing = fs::read(folder.at("none")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        fs::write(&b, [b'a', 0xff]).unwrap();
        let text = fs::read_to_string(&a).unwrap_err();
        assert_eq!(text.kind(), ErrorKind::InvalidData);
    });
}

#[test]
fn a_file_is_read_written_and_moved_about_in() {
    both(|| {
        let folder = Folder::new();
        let path = folder.at("a");
        let mut file = File::create_new(&path).unwrap();
        assert_eq!(
            File::create_new(&path).unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        file.write_all(b"hello world").unwrap();
        file.flush().unwrap();
        assert_eq!(file.stream_position().unwrap(), 11);
        assert_eq!(file.seek(SeekFrom::Start(6)).unwrap(), 6);
        let mut word = [0; 3];
        file.read_exact(&mut word).unwrap();
        assert_eq!(&word, b"wor");
        assert_eq!(file.seek(SeekFrom::Current(-1)).unwrap(), 8);
        assert_eq!(file.read(&mut []).unwrap(), 0);
        let mut rest = String::from("-");
        assert_eq!(file.read_to_string(&mut rest).unwrap(), 3);
        assert_eq!(rest, "-rld");
        assert_eq!(file.read(&mut word).unwrap(), 0);
        assert_eq!(
            file.seek(SeekFrom::Current(-100)).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        assert_eq!(
            file.write_vectored(&[IoSlice::new(b"!"), IoSlice::new(b"?!")])
                .unwrap(),
            3
        );
        file.rewind().unwrap();
        let mut all = Vec::new();
        (&file).read_to_end(&mut all).unwrap();
        assert_eq!(all, b"hello world!?!");
        file.sync_all().unwrap();
        file.sync_data().unwrap();
        file.set_len(4).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 4);
        let mut only_read = File::open(&path).unwrap();
        assert!(only_read.write(b"x").is_err());
        assert!(File::create(&path).unwrap().read(&mut word).is_err());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
        file.rewind().unwrap();
        file.write_all(&[0xff]).unwrap();
        file.rewind().unwrap();
        let text = file.read_to_string(&mut rest).unwrap_err();
        assert_eq!((text.kind(), &*rest), (ErrorKind::InvalidData, "-rld"));
    });
}

#[test]
fn larger_than_one_call_moves() {
    both(|| {
        let folder = Folder::new();
        let text: Vec<u8> = (0..1_300_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut file = File::create_new(folder.at("a")).unwrap();
        file.write_all(&text).unwrap();
        file.rewind().unwrap();
        let mut all = vec![7];
        assert_eq!(file.read_to_end(&mut all).unwrap(), text.len());
        assert!(all[1..] == text);
        file.rewind().unwrap();
        all.truncate(text.len());
        file.read_exact(&mut all).unwrap();
        assert!(all == text);
        let mut there = vec![0; 3_000_000];
        file.read_exact_at(&mut there, 1_000).unwrap();
        assert!(there == text[1_000..][..there.len()]);
    });
}

#[test]
fn at_places_permissions_and_times() {
    both(|| {
        let folder = Folder::new();
        let file = File::create_new(folder.at("a")).unwrap();
        file.write_all_at(b"abcdef", 2).unwrap();
        let mut two = [0; 2];
        file.read_exact_at(&mut two, 3).unwrap();
        assert_eq!(&two, b"bc");
        assert_eq!((&file).stream_position().unwrap(), 0);
        assert_eq!(file.read_at(&mut two, 100).unwrap(), 0);
        file.set_permissions(Permissions::from_mode(0o640)).unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o640);
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        file.set_modified(then).unwrap();
        assert_eq!(file.metadata().unwrap().modified().unwrap(), then);
        file.set_times(FileTimes::new().set_accessed(then)).unwrap();
        assert_eq!(file.metadata().unwrap().accessed().unwrap(), then);
    });
}

#[test]
fn options() {
    both(|| {
        let folder = Folder::new();
        let path = folder.at("a");
        let mut append = OpenOptions::new();
        append.append(true).create(true).mode(0o600);
        let mut log = append.open(&path).unwrap();
        log.write_all(b"a").unwrap();
        append.open(&path).unwrap().write_all(b"b").unwrap();
        log.write_all(b"c").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"abc");
        assert_eq!(log.metadata().unwrap().mode() & 0o777, 0o600);
        let std = OpenOptions::from(std::fs::OpenOptions::new());
        assert_eq!(std.open(&path).unwrap_err().kind(), ErrorKind::InvalidInput);
        let folder_only = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECTORY)
            .open(&path);
        assert_eq!(folder_only.unwrap_err().kind(), ErrorKind::NotADirectory);
    });
}

#[test]
fn duplicates_and_conversions_share_the_position() {
    both(|| {
        let folder = Folder::new();
        let path = folder.at("a");
        std::fs::write(&path, b"abcdef").unwrap();
        let mut file = File::open(&path).unwrap();
        let mut twin = file.try_clone().unwrap();
        let mut byte = [0];
        for (expected, which) in b"abcd".iter().zip([true, false, false, true]) {
            let from = if which { &mut file } else { &mut twin };
            from.read_exact(&mut byte).unwrap();
            assert_eq!(byte[0], *expected);
        }
        let mut std = std::fs::File::from(file);
        std.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"e");
        let number = std.as_raw_fd();
        let fd = OwnedFd::from(File::from(std));
        assert_eq!(fd.as_raw_fd(), number);
        let file = File::from(fd);
        assert!(format!("{file:?}").starts_with("File"));
        let number = file.into_raw_fd();
        let mut file = from_number(number);
        file.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"f");
        let cat = std::process::Command::new("cat")
            .stdin(File::open(&path).unwrap())
            .output();
        assert_eq!(cat.unwrap().stdout, b"abcdef");
    });
}

#[expect(unsafe_code, reason = "`FromRawFd` is an unsafe trait, as in std")]
fn from_number(number: i32) -> File {
    // SAFETY: the number was just given away by a file.
    unsafe { File::from_raw_fd(number) }
}
