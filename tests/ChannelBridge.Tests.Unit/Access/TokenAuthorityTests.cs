using ChannelBridge.Abstractions.Access;
using ChannelBridge.Core.Access;

namespace ChannelBridge.Tests.Unit.Access;

public sealed class TokenAuthorityTests
{
    private static readonly TokenAuthority Authority = new(
    [
        AccessToken.FromToken("first", "the-first-token", Scopes.All),
        AccessToken.FromToken("shop", "the-shop-token-ü", Scopes.Write, ["Shop", "Primary"]),
    ]);

    [Fact]
    public void Authenticate_KnownToken_GivesNameScopesDoorAndAccounts()
    {
        var first = Authority.Authenticate("the-first-token", Door.Local)!;
        Assert.Equal(("first", Scopes.All, Door.Local), (first.Name, first.Scopes, first.Door));
        Assert.True(first.MayUseAccount("anything"));
        var shop = Authority.Authenticate("the-shop-token-ü", Door.Listener)!;
        Assert.Equal(("shop", Scopes.Write), (shop.Name, shop.Scopes));
        Assert.True(shop.MayUseAccount("PRIMARY"));
        Assert.False(shop.MayUseAccount("other"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("the-first-toke")]
    [InlineData("the-first-token ")]
    [InlineData("The-first-token")]
    public void Authenticate_AnythingElse_IsNobody(string token) => Assert.Null(Authority.Authenticate(token, Door.Listener));

    [Fact]
    public void Authenticate_LongerThanTheLimit_IsRefusedUnread() =>
        Assert.Null(new TokenAuthority([AccessToken.FromToken("long", new string('a', 5000), Scopes.Read)]).Authenticate(new string('a', 5000), Door.Listener));

    [Fact]
    public void Constructor_SameTokenOrNameTwice_Throws()
    {
        Assert.Throws<ArgumentException>(() => new TokenAuthority([AccessToken.FromToken("a", "t", Scopes.Read), AccessToken.FromToken("b", "t", Scopes.Read)]));
        Assert.Throws<ArgumentException>(() => new TokenAuthority([AccessToken.FromToken("a", "t", Scopes.Read), AccessToken.FromToken("A", "u", Scopes.Read)]));
    }
}
