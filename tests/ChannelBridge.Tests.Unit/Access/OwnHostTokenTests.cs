using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Access;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Tests.Unit.Access;

/// <summary>Who may come in at a host of one's own: said on the builder, with no type beside the contracts'.</summary>
public sealed class OwnHostTokenTests
{
    private readonly string _folder = Scratch.NewFolder("cbtokens");

    [Fact]
    public void AddTokenFile_NoFile_MakesOneForItsOwnerThatHoldsFromThenOn()
    {
        var file = Path.Combine(_folder, "new", "token");
        var first = Authority(builder => builder.AddTokenFile(file));
        var token = File.ReadAllText(file).Trim();
        Assert.True(token.Length >= 40);
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Single(Directory.GetFiles(Path.GetDirectoryName(file)!));
        var caller = first.Authenticate(token, Door.Listener);
        Assert.Equal(("first", Scopes.All), (caller!.Name, caller.Scopes));

        Assert.NotNull(Authority(builder => builder.AddTokenFile(file)).Authenticate(token, Door.Listener));
        Assert.Null(first.Authenticate(token + "x", Door.Listener));
    }

    [Theory]
    [InlineData("")]
    [InlineData("  \nsecond line")]
    public void AddTokenFile_WithoutAToken_StopsTheStart(string content)
    {
        var file = Path.Combine(_folder, "token");
        File.WriteAllText(file, content);
        var fault = Assert.Throws<InvalidDataException>(() => Authority(builder => builder.AddTokenFile(file)));
        Assert.Contains(file, fault.Message, StringComparison.Ordinal);
        Assert.Equal(content, File.ReadAllText(file));
    }

    [Fact]
    public void AddToken_Several_EachHasItsNameAndScopes()
    {
        var file = Path.Combine(_folder, "token");
        File.WriteAllText(file, "the first one\n");
        var authority = Authority(builder => builder.AddTokenFile(file).AddToken("reader", "a reader's", Scopes.Read).AddToken("peer", "a peer's", Scopes.Peer));
        Assert.Equal(("first", Scopes.All), Of("the first one"));
        Assert.Equal(("reader", Scopes.Read), Of("a reader's"));
        Assert.Equal(("peer", Scopes.Peer), Of("a peer's"));

        (string, Scopes) Of(string token) => authority.Authenticate(token, Door.Listener) is { } caller ? (caller.Name, caller.Scopes) : default;
    }

    [Fact]
    public void AddToken_TwoOfOneName_StopTheStart() => Assert.Contains(
        "'a'",
        Assert.Throws<ArgumentException>(() => Authority(builder => builder.AddToken("a", "one", Scopes.Read).AddToken("A", "two", Scopes.Read))).Message,
        StringComparison.OrdinalIgnoreCase);

    [Fact]
    public async Task AddToken_Twice_BringsTheMethodsOfTokensOnce()
    {
        await using var provider = Services(builder => builder.AddToken("a", "one", Scopes.Read).AddToken("b", "two", Scopes.Read)).BuildServiceProvider();
        Assert.Single(provider.GetServices<IContributor>().OfType<IMethodSource>().SelectMany(source => source.Methods), method => method.Name == "access.tokens.list");
    }

    [Fact]
    public void MapChannelBridge_WithoutTokens_SaysWhatIsMissing()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Services.AddSingleton<IStore>(new MemoryStore());
        builder.Services.AddChannelBridge().AddEndpoints();
        var fault = Assert.Throws<InvalidOperationException>(() => builder.Build().MapChannelBridge());
        Assert.Contains("AddTokenFile", fault.Message, StringComparison.Ordinal);
    }

    private static ITokenAuthority Authority(Action<IChannelBridgeBuilder> configure) =>
        Services(configure).BuildServiceProvider().GetRequiredService<ITokenAuthority>();

    private static ServiceCollection Services(Action<IChannelBridgeBuilder> configure)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton<IStore>(new MemoryStore());
        configure(services.AddChannelBridge());
        return services;
    }
}
