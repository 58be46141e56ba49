using System.Net;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Core.Access;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Access;

/// <summary>Tokens in the store: made, changed and ended while hosts run, each host with its own view of one store.</summary>
public sealed class StoredTokenTests
{
    [Fact]
    public async Task A_token_is_made_and_known_with_its_limits_and_its_secret_is_nowhere()
    {
        var store = new MemoryStore();
        await using var host = await Host.StartAsync(store);
        var made = await host.Tokens.AddAsync(
            new TokenGrant { Name = "Shop", Scopes = Scopes.Peer, Channels = ["A2A"], Accounts = ["Primary"], Platforms = ["QQ"], Methods = ["bncr.*"] }, "first");
        Assert.StartsWith("cb_", made.Secret, StringComparison.Ordinal);
        Assert.DoesNotContain(made.Secret, made.ToString(), StringComparison.Ordinal);
        var caller = host.Authority.Authenticate(made.Secret, Door.Listener)!;
        Assert.Equal(("Shop", Scopes.Peer), (caller.Name, caller.Scopes));
        Assert.True(caller.MayUseChannel("a2a") && caller.MayUseAccount("PRIMARY") && caller.MayUsePlatform("qq") && caller.MayCall("bncr.inbound"));
        Assert.False(caller.MayUseChannel("juji") || caller.MayUseAccount("x") || caller.MayUsePlatform("tg") || caller.MayCall("messages.send"));
        Assert.Null(host.Authority.Authenticate(made.Secret + "x", Door.Listener));
        foreach (var record in await store.ListRecordsAsync(TokenRecord.Namespace, null, null, 10))
            Assert.DoesNotContain(made.Secret, System.Text.Encoding.UTF8.GetString(record.Value.Span), StringComparison.Ordinal);
        Assert.Equal(["first", "Shop"], (await host.Tokens.ListAsync()).Select(token => token.Grant.Name));
    }

    [Fact]
    public async Task A_revocation_reaches_the_other_host_with_its_next_look()
    {
        var store = new MemoryStore();
        await using var one = await Host.StartAsync(store);
        await using var two = await Host.StartAsync(store);
        var made = await one.Tokens.AddAsync(Grant("shop"), "first");
        await two.LookAsync();
        var here = one.Authority.Authenticate(made.Secret, Door.Listener)!;
        var there = two.Authority.Authenticate(made.Secret, Door.Listener)!;
        await one.Tokens.RevokeAsync("SHOP", "first");
        await Signalled(here.Revoked);
        Assert.False(there.Revoked.IsCancellationRequested);
        await two.LookAsync();
        await Signalled(there.Revoked);
        Assert.Null(two.Authority.Authenticate(made.Secret, Door.Listener));
    }

    [Fact]
    public async Task A_former_secret_holds_for_its_grace_and_ends_what_it_opened_then()
    {
        var time = new ManualTime();
        await using var host = await Host.StartAsync(new MemoryStore(time), time);
        var made = await host.Tokens.AddAsync(Grant("shop"), "first");
        var old = host.Authority.Authenticate(made.Secret, Door.Listener)!;
        var next = await host.Tokens.RotateAsync("shop", null, "first");
        Assert.NotNull(host.Authority.Authenticate(made.Secret, Door.Listener));
        var fresh = host.Authority.Authenticate(next.Secret, Door.Listener)!;
        Assert.False(old.Revoked.IsCancellationRequested);
        time.Advance(TimeSpan.FromMinutes(10));
        await host.LookAsync();
        await Signalled(old.Revoked);
        Assert.Null(host.Authority.Authenticate(made.Secret, Door.Listener));
        Assert.False(fresh.Revoked.IsCancellationRequested);
        Assert.NotNull(host.Authority.Authenticate(next.Secret, Door.Listener));
        var third = await host.Tokens.RotateAsync("shop", TimeSpan.Zero, "first");
        await Signalled(fresh.Revoked);
        Assert.NotNull(host.Authority.Authenticate(third.Secret, Door.Listener));
    }

    [Fact]
    public async Task A_token_that_has_expired_ends_what_it_opened()
    {
        var time = new ManualTime();
        await using var host = await Host.StartAsync(new MemoryStore(time), time);
        var made = await host.Tokens.AddAsync(Grant("shop") with { ExpiresAt = time.GetUtcNow().AddHours(1).ToUnixTimeMilliseconds() }, "first");
        var caller = host.Authority.Authenticate(made.Secret, Door.Listener)!;
        time.Advance(TimeSpan.FromHours(1));
        Assert.Null(host.Authority.Authenticate(made.Secret, Door.Listener));
        await host.LookAsync();
        await Signalled(caller.Revoked);
    }

    [Fact]
    public async Task A_host_that_is_cut_off_lets_no_stored_token_in_and_closes_them_after_its_patience()
    {
        var time = new ManualTime();
        var store = new CuttableStore(time);
        await using var host = await Host.StartAsync(store.Store, time);
        var made = await host.Tokens.AddAsync(Grant("shop"), "first");
        var caller = host.Authority.Authenticate(made.Secret, Door.Listener)!;
        store.IsCut = true;
        await host.LookAsync();
        Assert.Null(host.Authority.Authenticate(made.Secret, Door.Listener));
        Assert.NotNull(host.Authority.Authenticate(Host.First, Door.Listener));
        Assert.False(caller.Revoked.IsCancellationRequested);
        time.Advance(TimeSpan.FromSeconds(10));
        await host.LookAsync();
        await Signalled(caller.Revoked);
        store.IsCut = false;
        await host.LookAsync();
        var again = host.Authority.Authenticate(made.Secret, Door.Listener)!;
        Assert.False(again.Revoked.IsCancellationRequested);
    }

    [Fact]
    public async Task Names_are_unique_and_the_settings_tokens_are_not_changed()
    {
        await using var host = await Host.StartAsync(new MemoryStore());
        await host.Tokens.AddAsync(Grant("shop"), "first");
        Assert.Equal(ErrorCodes.Conflict, (await Assert.ThrowsAsync<BridgeException>(async () => await host.Tokens.AddAsync(Grant("SHOP"), "first"))).Code);
        Assert.Equal(ErrorCodes.Conflict, (await Assert.ThrowsAsync<BridgeException>(async () => await host.Tokens.RevokeAsync("first", "first"))).Code);
        Assert.Equal(ErrorCodes.NotFound, (await Assert.ThrowsAsync<BridgeException>(async () => await host.Tokens.RotateAsync("none", null, "first"))).Code);
        foreach (var name in new[] { "", "local", "FIRST", "gateway/x", "a b", new string('a', 65), "ä" })
            Assert.Equal(ErrorCodes.InvalidRequest, (await Assert.ThrowsAsync<BridgeException>(async () => await host.Tokens.AddAsync(Grant(name), "first"))).Code);
    }

    [Fact]
    public async Task Two_who_rotate_at_once_dont_both_win()
    {
        var store = new MemoryStore();
        await using var host = await Host.StartAsync(store);
        await host.Tokens.AddAsync(Grant("shop"), "first");
        var results = await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            try
            {
                return (await host.Tokens.RotateAsync("shop", TimeSpan.Zero, "first")).Secret;
            }
            catch (BridgeException fault) when (fault.Code == ErrorCodes.Conflict)
            {
                return null;
            }
        }));
        Assert.Equal(1, results.Count(secret => secret is not null && host.Authority.Authenticate(secret, Door.Listener) is not null));
    }

    [Fact]
    public async Task Everything_that_happens_to_access_is_written_down_and_bounded()
    {
        var time = new ManualTime();
        await using var host = await Host.StartAsync(new MemoryStore(time), time, options => options.AuditLimit = 50);
        await host.Tokens.AddAsync(Grant("shop"), "anna");
        await host.Tokens.RotateAsync("shop", null, "bert");
        await host.Tokens.RevokeAsync("shop", "carl");
        var lines = await host.Audit.ReadAsync(10, default);
        Assert.Equal([("revoked", "carl"), ("rotated", "bert"), ("made", "anna")], lines.OrderByDescending(line => line.Action)
            .Select(line => (line.Action, line.By!)).OrderBy(line => line.Item1 == "made" ? 2 : line.Item1 == "rotated" ? 1 : 0));
        host.Audit.Refused(Door.Listener, IPAddress.Parse("192.0.2.7"), "evil\u001b[2J\u202e", "a wrong token");
        AccessLine? refused = null;
        await Wait.UntilAsync(async () => (refused = (await host.Audit.ReadAsync(10, default)).FirstOrDefault(line => line.Action == "refused")) is not null);
        Assert.Equal(("192.0.2.7", "evil?[2J?", "a wrong token"), (refused!.By, refused.Name, refused.Reason));
        for (var i = 0; i < 200; i++) host.Audit.Refused(Door.Listener, null, null, "again");
        while ((await host.Audit.ReadAsync(1000, default)).Count < 200)
        {
            // Again and again: the writer may begin its pause only now.
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        await host.Audit.TrimAsync(default);
        Assert.Equal(50, (await host.Audit.ReadAsync(1000, default)).Count);
    }

    private static TokenGrant Grant(string name) => new() { Name = name, Scopes = Scopes.Write };

    private static async Task Signalled(CancellationToken token)
    {
        var signal = new TaskCompletionSource();
        await using var registration = token.Register(signal.SetResult);
        await signal.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    private sealed class CuttableStore(TimeProvider time)
    {
        public MemoryStore Store { get; } = new(time);

        public bool IsCut
        {
            set => Store.BeforeRead = value ? () => throw new BridgeException(ErrorCodes.StoreUnavailable, "cut off") : null;
        }
    }

    private sealed class Host : IAsyncDisposable
    {
        public const string First = "first-token-0123456789";

        private readonly StoredTokens _stored;

        private Host(MemoryStore store, TimeProvider time, AccessOptions options)
        {
            _stored = new StoredTokens(store, options, time, NullLogger<StoredTokens>.Instance);
            Audit = new AccessAudit(store, options, time, NullLogger<AccessAudit>.Instance);
            Authority = new TokenAuthority([AccessToken.FromToken("first", First, Scopes.All)], _stored);
            Tokens = new TokenStore(_stored, Authority, Audit, options, time);
        }

        public TokenAuthority Authority { get; }

        public AccessAudit Audit { get; }

        public TokenStore Tokens { get; }

        public static async Task<Host> StartAsync(MemoryStore store, TimeProvider? time = null, Action<AccessOptions>? configure = null)
        {
            // A clock that stands still looks at nothing by itself: each look is the test's.
            var options = new AccessOptions();
            configure?.Invoke(options);
            var host = new Host(store, time ?? new ManualTime(), options);
            await host._stored.StartAsync(default);
            host.Audit.Start();
            return host;
        }

        public Task LookAsync() => _stored.RefreshAsync(default);

        public async ValueTask DisposeAsync()
        {
            await Audit.DisposeAsync();
            await _stored.DisposeAsync();
        }
    }
}
