using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Endpoints.Contributed;

namespace ChannelBridge.Tests.Unit.Endpoints;

/// <summary>Templates, what they match, and what two of them must not share.</summary>
public sealed class RouteTableTests
{
    [Theory]
    [InlineData("/a", "/a", "")]
    [InlineData("/a/{id}", "/a/7", "7")]
    [InlineData("/a/{id}", "/a/x%20y", "x%20y")]
    [InlineData("/a/{id}:cancel", "/a/7:cancel", "7")]
    [InlineData("/a/v{n}/b", "/a/v12/b", "12")]
    [InlineData("/a/{*rest}", "/a/b/c/d", "b/c/d")]
    [InlineData("/a/{*rest}", "/a", "")]
    [InlineData("/a/{*rest}", "/a/", "")]
    [InlineData("/{x}/{y}", "/1/2", "1|2")]
    public void A_path_matches_its_template(string template, string path, string values)
    {
        var leaf = Table(template).Find(path, out var found);
        Assert.NotNull(leaf);
        Assert.Equal(values, string.Join('|', found));
    }

    [Theory]
    [InlineData("/a", "/A")]
    [InlineData("/a", "/a/")]
    [InlineData("/a/{id}", "/a/")]
    [InlineData("/a/{id}", "/a/b/c")]
    [InlineData("/a/{id}:cancel", "/a/:cancel")]
    [InlineData("/a/{id}", "a/7")]
    [InlineData("/a/{id}", "")]
    public void Another_path_does_not(string template, string path) => Assert.Null(Table(template).Find(path, out _));

    [Fact]
    public void What_is_written_out_goes_first()
    {
        var table = Table("/t/{id}", "/t/{id}:cancel", "/t/new", "/{*rest}", "/t/{id}/log");
        Assert.Equal("/t/new", Found("/t/new"));
        Assert.Equal("/t/{id}:cancel", Found("/t/5:cancel"));
        Assert.Equal("/t/{id}", Found("/t/5"));
        Assert.Equal("/t/{id}/log", Found("/t/new/log"));
        Assert.Equal("/{*rest}", Found("/t/5/other"));
        string Found(string path) => table.Find(path, out _)!.Routes[0].Template.Text;
    }

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("/a/")]
    [InlineData("/a//b")]
    [InlineData("/a/../b")]
    [InlineData("/{}")]
    [InlineData("/{a}{b}")]
    [InlineData("/{a}/{a}")]
    [InlineData("/{*a}/b")]
    [InlineData("/x{*a}")]
    [InlineData("/a}")]
    [InlineData("/a b")]
    [InlineData("/a%2f")]
    public void What_is_no_template_is_refused(string text) => Assert.Throws<ArgumentException>(() => RouteTemplate.Parse(text));

    [Theory]
    [InlineData("/a/{x}", "/a/{y}")]
    [InlineData("/a/{x}", "/A/{other}")]
    [InlineData("/a/{*x}", "/a/{*y}")]
    public void Two_channels_never_share_a_path_whatever_its_parameters_are_called(string one, string other)
    {
        var fault = Assert.Throws<InvalidOperationException>(() => Tables(new TestSource("first").Text(one, ""), new TestSource("second").Text(other, "")));
        Assert.Contains($"'{one}' of the channel first", fault.Message, StringComparison.Ordinal);
        Assert.Contains($"'{other}' of the channel second", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_channel_may_have_several_verbs_at_a_path_but_each_once()
    {
        Tables(new TestSource().Text("/a/{x}", "").Post("/a/{y}", (_, _) => default));
        Assert.Throws<InvalidOperationException>(() => Tables(new TestSource().Text("/a/{x}", "").Text("/a/{y}", "")));
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/ws")]
    [InlineData("/RPC")]
    [InlineData("/v1")]
    [InlineData("/v1/x")]
    [InlineData("/V1/{x}")]
    [InlineData("/healthz")]
    [InlineData("/readyz")]
    public void The_host_keeps_its_own_paths(string path)
    {
        var fault = Assert.Throws<InvalidOperationException>(() => Tables(new TestSource("shop").Text(path, "")));
        Assert.Contains("shop", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void On_their_own_addresses_two_channels_may_have_the_same_path()
    {
        var one = new TestSource("one").Text("/card", "", place: EndpointPlace.Own);
        var two = new TestSource("two").Text("/card", "", place: EndpointPlace.Own);
        var tables = EndpointTables.Build([new SourceLife(one), new SourceLife(two)], [new ListenAddress("a", ["one"]), new ListenAddress("b", ["two"])]);
        Assert.True(tables.Main.IsEmpty);
        Assert.Equal("one", tables.Own("a").Find("/card", out _)!.Routes[0].Channel);
        Assert.Equal("two", tables.Own("b").Find("/card", out _)!.Routes[0].Channel);
        Assert.Throws<InvalidOperationException>(() => EndpointTables.Build([new SourceLife(one), new SourceLife(two)], [new ListenAddress("a", ["one", "two"])]));
    }

    [Theory]
    [InlineData("/a/b", true)]
    [InlineData("/a/b%20c?x=//..", true)]
    [InlineData("/.well-known/agent-card.json", true)]
    [InlineData("/a/...", true)]
    [InlineData("http://host/a", true)]
    [InlineData("/a/../b", false)]
    [InlineData("/a/./b", false)]
    [InlineData("/a/%2e%2E/b", false)]
    [InlineData("/a//b", false)]
    [InlineData("/a%2fb", false)]
    [InlineData("/a%2Fb", false)]
    [InlineData("/a%5cb", false)]
    [InlineData("/a\\b", false)]
    [InlineData("/a%252fb", false)]
    [InlineData("/a%00", false)]
    [InlineData("/a%zz", false)]
    [InlineData("/a%2", false)]
    public void A_path_that_two_readers_may_understand_differently_is_not_plain(string target, bool plain) => Assert.Equal(plain, PathCheck.IsPlain(target));

    private static RouteTable Table(params string[] templates)
    {
        var source = new TestSource();
        foreach (var template in templates) source.Text(template, "");
        return Tables(source).Main;
    }

    private static EndpointTables Tables(params TestSource[] sources) => EndpointTables.Build([.. sources.Select(source => new SourceLife(source))], []);
}
