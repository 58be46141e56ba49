using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Juji;
using ChannelBridge.Channels.Juji.Connector;
using ChannelBridge.Channels.Juji.Endpoint;
using ChannelBridge.Identity;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Juji;

/// <summary>Who may connect to the endpoint, and who may not.</summary>
public sealed class AgentBookTests
{
    private readonly ManualTime _time = new();
    private readonly MemoryStore _store;
    private readonly AgentBook _book;

    public AgentBookTests()
    {
        _store = new MemoryStore(_time);
        _book = new AgentBook(_store, new JujiEndpointOptions { MaxAgents = 5 }, _time);
    }

    private long Now => _time.GetUtcNow().ToUnixTimeSeconds();

    [Fact]
    public async Task Registration_TheSameKeyIsTheSameAgent_WithANewToken()
    {
        using var key = IdentityKey.Create();
        var (first, token) = await RegisterAsync(key, name: "a");
        var (second, other) = await RegisterAsync(key);
        Assert.Equal((first.Id, "a"), (second.Id, second.Name));
        Assert.NotEqual(token, other);
        var (third, _) = await _book.RegisterAsync(new RegisterRequest { Wallet = "0xabc" }, CancellationToken.None);
        Assert.NotEqual(first.Id, third.Id);
        Assert.Equal(2, (await _book.ListAsync(CancellationToken.None)).Count);
    }

    [Fact]
    public async Task FormerToken_HoldsForTenMinutes()
    {
        using var key = IdentityKey.Create();
        var (agent, token) = await RegisterAsync(key);
        for (var i = 0; i < 3; i++) await RegisterAsync(key);
        Assert.NotNull(await ConnectAsync(agent.Id, token, key));
        _time.Advance(TimeSpan.FromMinutes(10) + TimeSpan.FromSeconds(1));
        Assert.Null(await ConnectAsync(agent.Id, token, key));
    }

    [Theory]
    [InlineData(-300, true)]
    [InlineData(300, true)]
    [InlineData(-301, false)]
    [InlineData(301, false)]
    public async Task Signature_HoldsForFiveMinutes_AndAgainWithinThem(int seconds, bool good)
    {
        using var key = IdentityKey.Create();
        var (agent, token) = await RegisterAsync(key);
        var at = Now + seconds;
        for (var i = 0; i < 2; i++)
            Assert.Equal(good, await _book.AuthenticateAsync($"{agent.Id}", token, $"{at}", AgentKeys.Sign(key, agent.Id, at), CancellationToken.None) is not null);
    }

    [Fact]
    public async Task Signature_ThatIsWrong_IsRefused()
    {
        using var key = IdentityKey.Create();
        using var other = IdentityKey.Create();
        var (agent, token) = await RegisterAsync(key);
        var good = AgentKeys.Sign(key, agent.Id, Now);
        string?[] wrong = [AgentKeys.Sign(other, agent.Id, Now), AgentKeys.Sign(key, agent.Id + 1, Now), AgentKeys.Sign(key, agent.Id, Now + 1), good[..126], good + "00",
            new string('z', 128), "", null];
        foreach (var signature in wrong) Assert.Null(await _book.AuthenticateAsync($"{agent.Id}", token, $"{Now}", signature, CancellationToken.None));
        foreach (var at in new[] { null, "", "x", $"{Now}.0", $"-{Now}" }) Assert.Null(await _book.AuthenticateAsync($"{agent.Id}", token, at, good, CancellationToken.None));
        foreach (var id in new[] { null, "0", "-1", "x", "99999999999999999999", $"{agent.Id + 1}" }) Assert.Null(
            await _book.AuthenticateAsync(id, token, $"{Now}", good, CancellationToken.None));
        foreach (var said in new[] { null, "", "token" }) Assert.Null(await _book.AuthenticateAsync($"{agent.Id}", said, $"{Now}", good, CancellationToken.None));
        Assert.NotNull(await _book.AuthenticateAsync($"{agent.Id}", token, $"{Now}", good, CancellationToken.None));
    }

    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("00")]
    [InlineData("zz00000000000000000000000000000000000000000000000000000000000000")]
    public async Task Key_ThatMustNotBeTrusted_IsRefusedAtRegistration(string key)
    {
        var fault = await Assert.ThrowsAsync<BridgeException>(async () => await _book.RegisterAsync(new RegisterRequest { PublicKey = key }, CancellationToken.None));
        Assert.Equal(ErrorCodes.InvalidRequest, fault.Code);
    }

    [Fact]
    public async Task Agents_ArentTakenOver_ByAnotherKeyOrWallet()
    {
        using var key = IdentityKey.Create();
        using var other = IdentityKey.Create();
        var (agent, _) = await RegisterAsync(key, wallet: "w1");
        await AssertConflictAsync(() => RegisterAsync(other, wallet: "w1"));
        await AssertConflictAsync(() => RegisterAsync(key, wallet: "w2"));
        await _book.RegisterAsync(new RegisterRequest { Wallet = "w3" }, CancellationToken.None);
        await AssertConflictAsync(() => RegisterAsync(other, wallet: "w3"));
        Assert.Equal(agent.PublicKey, (await _book.FindAsync(agent.Id, CancellationToken.None))!.PublicKey);
        Assert.Equal(agent.Id, (await _book.RegisterAsync(new RegisterRequest { Wallet = "w1" }, CancellationToken.None)).Agent.Id);
    }

    [Fact]
    public async Task ManyAtOnce_OfOneKey_AreOneAgent_AndThereIsABound()
    {
        using var key = IdentityKey.Create();
        var made = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => RegisterAsync(key))));
        var id = Assert.Single(made.Select(static one => one.Agent.Id).Distinct());
        Assert.Single(await _book.ListAsync(CancellationToken.None));
        await Assert.ThrowsAsync<BridgeException>(async () =>
        {
            for (var i = 0; i < 6; i++) await _book.RegisterAsync(new RegisterRequest { Wallet = $"w{i}" }, CancellationToken.None);
        });
        Assert.NotNull(await _book.FindAsync(id, CancellationToken.None));
    }

    [Fact]
    public async Task OwnAgent_IsAMember_AndNobodyConnectsAsIt()
    {
        var id = await _book.OwnAsync(CancellationToken.None);
        Assert.Equal(id, await _book.OwnAsync(CancellationToken.None));
        Assert.Equal("ChannelBridge", (await _book.FindAsync(id, CancellationToken.None))!.Name);
        Assert.Null(await _book.AuthenticateAsync($"{id}", "", null, null, CancellationToken.None));
        Assert.Null(await _book.AuthenticateAsync($"{id}", "x", null, null, CancellationToken.None));
    }

    private async Task<AgentRecord?> ConnectAsync(long id, string token, IdentityKey key) =>
        await _book.AuthenticateAsync($"{id}", token, $"{Now}", AgentKeys.Sign(key, id, Now), CancellationToken.None);

    private async Task<(AgentRecord Agent, string Token)> RegisterAsync(IdentityKey key, string? wallet = null, string? name = null) =>
        await _book.RegisterAsync(new RegisterRequest { PublicKey = Convert.ToHexString(key.PublicKey.Span), Wallet = wallet, Name = name }, CancellationToken.None);

    private static async Task AssertConflictAsync(Func<Task> action) => Assert.Equal(ErrorCodes.Conflict, (await Assert.ThrowsAsync<BridgeException>(action)).Code);
}
