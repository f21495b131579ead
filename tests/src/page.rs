//! What the pages about a file's settings have in common.

/// Checks that the section of each setting says what it is, its default, what it does, and what is
/// refused.
///
/// # Panics
///
/// If one does not.
pub fn assert_sections_are_whole(page: &str) {
    for section in page.split("\n### ").skip(1) {
        // The last section of a group is followed by the next group.
        let section = section.split("\n## ").next().unwrap_or(section);
        let paragraphs: Vec<_> = section.trim().split("\n\n").collect();
        let [heading, kind, default, effect, error] = paragraphs.as_slice() else {
            panic!("{} paragraphs:\n{section}", paragraphs.len());
        };
        assert!(!kind.starts_with("**"), "{heading}");
        assert!(default.starts_with("**Default.** "), "{heading}");
        assert!(effect.starts_with("**Effect.** "), "{heading}");
        assert!(error.starts_with("**Error.** "), "{heading}");
    }
}
