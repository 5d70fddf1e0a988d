use cpq_store::*;
#[tokio::test]
async fn smoke() {
    let dir = tempfile::tempdir().unwrap();
    for o in [
        StoreOptions::memory(),
        StoreOptions::at(dir.path().join("a/b/cpq.db")),
    ] {
        let s = Store::open(o).await.unwrap();
        for n in 1..4 {
            assert_eq!(
                s.write(|tx| Box::pin(async move { counters::next(tx, "x").await }))
                    .await
                    .unwrap(),
                n
            );
        }
        assert_eq!(
            s.read(|tx| Box::pin(async move { counters::peek(tx, "x").await }))
                .await
                .unwrap(),
            3
        );
        assert!(
            s.read(|tx| Box::pin(async move { counters::next(tx, "x").await }))
                .await
                .is_err()
        );
    }
}
