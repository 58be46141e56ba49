using System.Net;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Channels.MultiClaws.Teams;

namespace ChannelBridge.Tests.MultiClaws.Teams;

public sealed class SelfAddressTests
{
    private static readonly InterfaceAddress s_loopback = new(IPAddress.Loopback, false);
    private static readonly InterfaceAddress s_docker = new(IPAddress.Parse("172.17.0.1"), false);
    private static readonly InterfaceAddress s_lan = new(IPAddress.Parse("192.168.1.7"), true);
    private static readonly InterfaceAddress s_tailnet = new(IPAddress.Parse("100.101.1.2"), false);
    private static readonly InterfaceAddress s_almost = new(IPAddress.Parse("100.128.1.2"), false);

    [Theory]
    [InlineData("http://0.0.0.0:7788", "http://100.101.1.2:7788")]
    [InlineData("http://[::]:7788", "http://100.101.1.2:7788")]
    [InlineData("http://+:7788", "http://100.101.1.2:7788")]
    [InlineData("http://127.0.0.1:7788", "http://127.0.0.1:7788")]
    [InlineData("http://localhost:7788", "http://127.0.0.1:7788")]
    [InlineData("http://10.1.2.3:7788", "http://10.1.2.3:7788")]
    [InlineData("http://127.0.0.1:0", null)]
    [InlineData("http://127.0.0.1:1;https://0.0.0.0:2", "https://100.101.1.2:2")]
    [InlineData("", null)]
    public void Address_IsOneAtWhichTheHostListens(string listening, string? expected) =>
        Assert.Equal(expected, Find(null, listening, s_loopback, s_docker, s_almost, s_lan, s_tailnet));

    [Fact]
    public void Address_OfANetworkWithAGateway_GoesBeforeOthers()
    {
        Assert.Equal("http://192.168.1.7:7788", Find(null, "http://0.0.0.0:7788", s_loopback, s_docker, s_almost, s_lan));
        Assert.Equal("http://172.17.0.1:7788", Find(null, "http://0.0.0.0:7788", s_loopback, s_docker));
        Assert.Equal("http://127.0.0.1:7788", Find(null, "http://0.0.0.0:7788", s_loopback));
    }

    [Fact]
    public void Operator_HasTheLastWord() =>
        Assert.Equal("https://bridge.example.org/base", Find("https://Bridge.example.org/base/", "http://0.0.0.0:7788", s_tailnet));

    private static string? Find(string? said, string listening, params InterfaceAddress[] interfaces) =>
        new SelfAddress(new Settings(said), new Listeners(listening.Split(';', StringSplitOptions.RemoveEmptyEntries)), () => interfaces).Find();

    private sealed class Settings(string? said) : ISettingsSource
    {
        public string? Get(string key) => key == "Channels:A2A:SelfUrl" ? said : null;

        public IReadOnlyList<string> Children(string key) => [];
    }

    private sealed class Listeners(IReadOnlyList<string> all) : IHostAddresses
    {
        public IReadOnlyList<string> Listening => all;
    }
}
