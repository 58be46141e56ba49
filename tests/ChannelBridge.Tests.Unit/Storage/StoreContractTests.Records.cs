using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Tests.Unit.Storage;

public abstract partial class StoreContractTests
{
    protected static RecordPut Put(string key, string value, string? index = null, long? expected = null, long expiresAt = 0, long at = Start) =>
        new() { Namespace = "ns", Key = key, Value = Bytes(value), Index = index, ExpectedVersion = expected, ExpiresAt = expiresAt, At = at };

    [StoreFact]
    public async Task RecordPut_Versions_CountPuts()
    {
        Assert.Equal(1, (await CommitAsync(Put("k", "one", "i"))).Version);
        Assert.Equal(2, (await CommitAsync(Put("k", "two", at: Start + 1))).Version);
        Assert.Equal(1, (await CommitAsync(new RecordPut { Namespace = "other", Key = "k", Value = Bytes("x"), At = Start })).Version);
        await ReopenAsync();
        var record = (await Store.GetRecordAsync("ns", "k"))!;
        Assert.Equal(("k", "two", 2L, null, Start + 1), (record.Key, Text(record.Value), record.Version, record.Index, record.UpdatedAt));
        Assert.Null(await Store.GetRecordAsync("ns", "K"));
    }

    [StoreFact]
    public async Task RecordPut_WrongExpectedVersion_IsAConflictThatLeavesTheRestOfTheBatch()
    {
        var fresh = await CommitAsync(Put("k", "one", expected: 0));
        var twice = Put("k", "no", expected: 0);
        var beside = Put("other", "yes");
        await Store.CommitAsync([twice, beside]);
        Assert.False(fresh.Conflict);
        Assert.True(twice.Conflict);
        Assert.Equal(1, twice.Version);
        Assert.False((await CommitAsync(Put("k", "two", expected: 1))).Conflict);
        Assert.True((await CommitAsync(Put("absent", "no", expected: 3))).Conflict);
        Assert.Equal("two", Text((await Store.GetRecordAsync("ns", "k"))!.Value));
        Assert.Equal("yes", Text((await Store.GetRecordAsync("ns", "other"))!.Value));
        Assert.Null(await Store.GetRecordAsync("ns", "absent"));
    }

    [StoreFact]
    public async Task RecordDelete_Record_IsGoneAndStartsAnew()
    {
        await CommitAsync(Put("k", "one"));
        await CommitAsync(Put("k", "two"));
        await CommitAsync(new RecordDelete { Namespace = "ns", Key = "k" });
        await CommitAsync(new RecordDelete { Namespace = "ns", Key = "never" });
        Assert.Null(await Store.GetRecordAsync("ns", "k"));
        Assert.Equal(1, (await CommitAsync(Put("k", "three", expected: 0))).Version);
    }

    [StoreFact]
    public async Task Record_WhoseTimeIsUp_DoesNotExist()
    {
        await CommitAsync(Put("k", "one", "i", expiresAt: Start + 1000));
        Time.Advance(TimeSpan.FromMilliseconds(999));
        Assert.NotNull(await Store.GetRecordAsync("ns", "k"));
        Time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Null(await Store.GetRecordAsync("ns", "k"));
        Assert.Empty(await Store.ListRecordsAsync("ns", null, null, 10));
        Assert.Empty(await Store.ListRecordsAsync("ns", "i", null, 10));
        var put = await CommitAsync(Put("k", "two", expected: 0, at: Start + 1000));
        Assert.Equal((false, 1L), (put.Conflict, put.Version));
    }

    [StoreFact]
    public async Task ListRecords_PagesByKeyAndIndex()
    {
        foreach (var key in new[] { "b", "a", "d", "c", "é", "B" }) await CommitAsync(Put(key, key, index: key is "a" or "c" or "d" ? "x" : null));
        await CommitAsync(new RecordPut { Namespace = "other", Key = "aa", Value = Bytes("x"), Index = "x", At = Start });
        await CommitAsync(Put("empty", ""));

        Assert.Equal(["B", "a", "b"], (await Store.ListRecordsAsync("ns", null, null, 3)).Select(r => r.Key));
        Assert.Equal(["c", "d", "empty", "é"], (await Store.ListRecordsAsync("ns", null, "b", 10)).Select(r => r.Key));
        Assert.Equal(["a", "c", "d"], (await Store.ListRecordsAsync("ns", "x", null, 10)).Select(r => r.Key));
        Assert.Equal(["c"], (await Store.ListRecordsAsync("ns", "x", "a", 1)).Select(r => r.Key));
        Assert.Empty(await Store.ListRecordsAsync("ns", "y", null, 10));
        Assert.Equal(0, (await Store.GetRecordAsync("ns", "empty"))!.Value.Length);
        await CommitAsync(Put("c", "c", index: null));
        Assert.Equal(["a", "d"], (await Store.ListRecordsAsync("ns", "x", null, 10)).Select(r => r.Key));
    }

    [StoreFact]
    public async Task SequenceNext_CountsPerNameAndSurvives()
    {
        var taken = Enumerable.Range(0, 50).Select(_ => new SequenceNext { Name = "a" }).ToArray();
        await Task.WhenAll(taken.Select(s => Store.CommitAsync(s).AsTask()));
        Assert.Equal(Enumerable.Range(1, 50).Select(i => (long)i), taken.Select(s => s.Value).Order());
        await ReopenAsync();
        Assert.Equal(51, (await CommitAsync(new SequenceNext { Name = "a" })).Value);
        Assert.Equal(1, (await CommitAsync(new SequenceNext { Name = "b" })).Value);
    }
}
