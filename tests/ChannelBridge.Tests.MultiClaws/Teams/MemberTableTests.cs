using ChannelBridge.Channels.MultiClaws.Teams;
using FsCheck;
using FsCheck.Fluent;

namespace ChannelBridge.Tests.MultiClaws.Teams;

public sealed class MemberTableTests
{
    private const string Team = "team";
    private static readonly DateTimeOffset s_now = new(2026, 11, 30, 12, 0, 0, TimeSpan.Zero);
    private static readonly MemberKey[] s_keys = [.. Enumerable.Range(0, 5).Select(static _ => MemberKey.Create())];

    /// <summary>A step: node <c>From</c> tells node <c>To</c> one of its records, or changes its own.</summary>
    internal sealed record Step(int From, int To, int Pick, int Kind, bool Lost);

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public void Tables_UnderAnyOrderLossAndRepetition_BecomeEqual(int nodes)
    {
        var step = from @from in Gen.Choose(0, nodes - 1)
                   from to in Gen.Choose(0, nodes - 1)
                   from pick in Gen.Choose(0, 1000)
                   from kind in Gen.Choose(0, 9)
                   from lost in Gen.Elements(true, false, false)
                   select new Step(@from, to, pick, kind, lost);
        Prop.ForAll(step.ListOf().ToArbitrary(), steps => Converges(nodes, [.. steps])).QuickCheckThrowOnFailure();
    }

    private static bool Converges(int nodes, Step[] steps)
    {
        var tables = Enumerable.Range(0, nodes).Select(static _ => new MemberTable()).ToArray();
        var told = new List<TeamMember>();
        for (var i = 0; i < nodes; i++) Put(tables[i], Own(i, 1, 0, false));
        for (var i = 0; i < steps.Length; i++)
        {
            var (from, to, pick, kind, lost) = steps[i];
            if (kind < 3)
            {
                // A node changes itself: another bio, another address, or it leaves. Clocks are coarse, so that times collide.
                Put(tables[from], Own(from, 2 + (i / 2), kind == 1 ? pick % 3 : 0, left: kind == 2 && pick % 2 == 0));
            }
            else
            {
                var known = tables[from].All.OrderBy(static member => member.Id, StringComparer.Ordinal).ToList();
                var record = kind < 9 || told.Count == 0 ? known[pick % known.Count] : told[pick % told.Count];
                told.Add(record);
                if (!lost) Put(tables[to], record);
            }
        }

        // What is owed is told at last, in whatever order; addresses that pass from one to another may need it twice.
        for (var round = 0; round < 3; round++)
        {
            for (var from = 0; from < nodes; from++)
            {
                for (var to = 0; to < nodes; to++) foreach (var record in tables[from].All) Put(tables[to], record);
            }
        }

        return Array.TrueForAll(tables, table => Shown(table) == Shown(tables[0]));
    }

    private static string Shown(MemberTable table) => string.Join('\n', table.All
        .Select(static member => $"{member.Id} {member.Url} {member.Name} {member.ChangedAtMs} {member.Left}").Order(StringComparer.Ordinal));

    [Fact]
    public void Record_KnownAlready_IsNotPassedOn()
    {
        var table = new MemberTable();
        var record = Own(0, 5, 0, false);
        Assert.Equal(Merged.Changed, table.Merge(record));
        Assert.Equal(Merged.Known, table.Merge(record));
        Assert.Equal(Merged.Known, table.Merge(Own(0, 4, 0, false)));
        Assert.Equal(Merged.Changed, table.Merge(Own(0, 6, 0, true)));
        Assert.Equal(Merged.Known, table.Merge(record));
        Assert.Empty(table.Members);
    }

    [Fact]
    public void Address_StaysWithTheFirstKey()
    {
        var table = new MemberTable();
        var first = Own(0, 5, 0, false);
        Assert.Equal(Merged.Changed, table.Merge(first));
        Assert.Equal(Merged.Taken, table.Merge((Own(1, 9, 0, false) with { Url = first.Url }).Signed(Team, s_keys[1])));
        // Once it has moved, or left, the address is free.
        Assert.Equal(Merged.Changed, table.Merge(Own(0, 6, 1, false)));
        Assert.Equal(Merged.Changed, table.Merge((Own(1, 9, 0, false) with { Url = first.Url }).Signed(Team, s_keys[1])));
    }

    [Fact]
    public void Team_HasAtMost256Members()
    {
        var table = new MemberTable();
        for (var i = 0; i < MemberTable.MostMembers; i++) Assert.Equal(Merged.Changed, table.Merge(Open($"http://10.1.{i / 250}.{i % 250}")));
        for (var i = 0; i < 10_000; i++) Assert.Equal(Merged.Full, table.Merge(Open($"http://10.2.{i / 250}.{i % 250}")));
        Assert.Equal(MemberTable.MostMembers, table.Members.Count);
        for (var i = 0; i < 3000; i++) table.Merge(Open($"http://10.3.{i / 250}.{i % 250}") with { Left = true, ChangedAtMs = i });
        Assert.Equal(MemberTable.MostMembers + MemberTable.MostLeft, table.All.Count);
    }

    [Fact]
    public void Record_IsTheMembersOwnWord()
    {
        var record = Own(0, 5, 0, false);
        Assert.Null(Fault(record));
        Assert.NotNull(record.Fault("another team", false, true, s_now));
        Assert.NotNull(Fault(record with { Description = "other" }));
        Assert.NotNull(Fault(record with { Left = true }));
        Assert.NotNull(Fault(record with { ChangedAtMs = 6 }));
        Assert.NotNull(Fault(record with { Key = s_keys[1].Public.Text }));
        Assert.NotNull(Fault(record with { Key = null, Sign = null }));
        Assert.NotNull(Fault(Own(0, s_now.AddMinutes(10).ToUnixTimeMilliseconds(), 0, false)));
        Assert.Null(Open("http://10.0.0.1").Fault(Team, true, false, s_now));
        Assert.NotNull(Open("http://10.0.0.1").Fault(Team, false, false, s_now));
    }

    [Theory]
    [InlineData("http://127.0.0.1:7788", false)]
    [InlineData("http://localhost:7788", false)]
    [InlineData("http://[::1]:7788", false)]
    [InlineData("http://169.254.169.254", false)]
    [InlineData("http://100.100.100.200", false)]
    [InlineData("http://[fd00:ec2::254]", false)]
    [InlineData("http://[fe80::1]", false)]
    [InlineData("http://[::ffff:127.0.0.1]", false)]
    [InlineData("http://0.0.0.0", false)]
    [InlineData("http://224.0.0.1", false)]
    [InlineData("http://192.168.1.7:3100", true)]
    [InlineData("http://10.0.0.1", true)]
    [InlineData("http://100.101.102.103", true)]
    [InlineData("https://bridge.example.org/base", true)]
    public void Url_LeadsNowhereItMayNot(string url, bool allowed)
    {
        Assert.Equal(url, MemberUrls.Normalise(url));
        Assert.Equal(allowed, !MemberUrls.IsRefused(url, withLoopback: false));
    }

    [Fact]
    public void Networks_AreFewEnoughAndHaveNoMetadata()
    {
        Assert.InRange(MemberUrls.NetworksWithLoopback.Count, 5, 128);
        var networks = MemberUrls.Networks.Skip(1).Select(System.Net.IPNetwork.Parse).ToList();
        Assert.DoesNotContain(networks, static network => network.Contains(System.Net.IPAddress.Parse("100.100.100.200")));
        Assert.DoesNotContain(networks, static network => network.Contains(System.Net.IPAddress.Parse("fd00:ec2::254")));
        Assert.Contains(networks, static network => network.Contains(System.Net.IPAddress.Parse("100.100.100.201")));
        Assert.Contains(networks, static network => network.Contains(System.Net.IPAddress.Parse("fd12:3456::1")));
        Assert.Contains(networks, static network => network.Contains(System.Net.IPAddress.Parse("192.168.7.7")));
    }

    [Theory]
    [InlineData("a\u0007b")]
    [InlineData("line\nbreak")]
    [InlineData("turned \u202Earound")]
    [InlineData("012345678901234567890123456789012345678901234567890123456789012345")]
    public void Name_ThatIsOdd_IsRefused(string name) => Assert.NotNull(TeamMember.NameFault(name));

    [Fact]
    public void Bio_IsBounded()
    {
        Assert.Null(TeamMember.TextFault("# Knows\n\n* finance\t(yes)\n" + new string('x', 8000), TeamMember.MaxBio));
        Assert.NotNull(TeamMember.TextFault(new string('x', 1 << 20), TeamMember.MaxBio));
        Assert.NotNull(TeamMember.TextFault(new string('語', 4000), TeamMember.MaxBio));
        Assert.NotNull(TeamMember.TextFault("ring\u0007", TeamMember.MaxBio));
    }

    private static string? Fault(TeamMember record) => record.Fault(Team, false, true, s_now);

    private static void Put(MemberTable table, TeamMember record) => table.Merge(record);

    private static TeamMember Own(int node, long at, int address, bool left) => new TeamMember
    {
        Url = $"http://10.0.{node}.{address}:7788",
        Name = $"node {node} at {at}",
        Description = "does things",
        JoinedAtMs = 1,
        ChangedAtMs = at,
        Left = left,
    }.Signed(Team, s_keys[node]);

    private static TeamMember Open(string url) => new() { Url = url, Name = "old", JoinedAtMs = 1, ChangedAtMs = 1 };
}
