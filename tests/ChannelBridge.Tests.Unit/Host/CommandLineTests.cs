using ChannelBridge.Host.Commands;
using ChannelBridge.Host.Composition;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Tests.Unit.Host;

public sealed class CommandLineTests
{
    [Fact]
    public void Serve_Options_BecomeTheirSettings()
    {
        var parsed = CommandLine.Create().Parse(
            ["serve", "--urls", "http://127.0.0.1:1;http://127.0.0.1:2", "-d", "/data", "--agent", "openclaw", "--otlp", "http://o", "--log-level",
                "Debug", "--stdio", "--socket", "off", "--token", "t"]);
        Assert.Empty(parsed.Errors);
        var keys = ServeCommand.Options.Read(parsed);
        Assert.Equal("http://127.0.0.1:1;http://127.0.0.1:2", keys["Listen:Urls"]);
        Assert.Equal("/data", keys["Store:Data"]);
        Assert.Equal("openclaw", keys["Agents:Default"]);
        Assert.Equal("http://o", keys["Telemetry:Otlp"]);
        Assert.Equal("Debug", keys["Telemetry:LogLevel"]);
        Assert.Equal("true", keys["Listen:Stdio"]);
        Assert.Equal("off", keys["Listen:Socket"]);
        Assert.Equal("t", keys["Access:Token"]);

        // The command line's word on the first token replaces what a file says of it.
        Assert.True(keys.TryGetValue("Access:TokenFile", out var file) && file is null);
    }

    [Fact]
    public void Serve_NoOptions_LeavesEverythingToTheOtherSources() => Assert.Empty(ServeCommand.Options.Read(CommandLine.Create().Parse(["serve"])));

    [Theory]
    [InlineData("store check", "/from/env", "Host=env")]
    [InlineData("store check --data /typed", "/typed", "Host=env")]
    [InlineData("import state.json", "/from/env", "Host=env")]
    [InlineData("import state.json --store Host=typed", "/from/env", "Host=typed")]
    [InlineData("store export all.jsonl --store Host=typed -d /typed", "/typed", "Host=typed")]
    public void StoreOptions_WhatIsNotTyped_StaysAsTheSettingsSay(string line, string data, string connection)
    {
        var parsed = CommandLine.Create().Parse(line.Split(' '));
        Assert.Empty(parsed.Errors);
        var given = StoreOptions.Read(parsed);
        var settings = SettingsLoader.Load(given, "/nowhere", new Dictionary<string, string>
        {
            ["CHANNELBRIDGE__STORE__DATA"] = "/from/env",
            ["CHANNELBRIDGE__STORE__CONNECTION"] = "Host=env",
        });
        Assert.Equal(Path.GetFullPath(data), settings.DataDirectory);
        Assert.Equal(connection, settings.Store.Postgres.ConnectionString);
    }

    [Theory]
    [InlineData("serve --nothing")]
    [InlineData("send hello")]
    [InlineData("import")]
    [InlineData("nonsense")]
    public void Parse_WrongCommandLine_HasErrors(string line) => Assert.NotEmpty(CommandLine.Create().Parse(line.Split(' ')).Errors);

    [Theory]
    [InlineData("http://127.0.0.1:7788", false)]
    [InlineData("http://localhost:7788", false)]
    [InlineData("http://[::1]:7788", false)]
    [InlineData("http://0.0.0.0:7788", true)]
    [InlineData("http://[::]:7788", true)]
    [InlineData("http://*:7788", true)]
    [InlineData("https://chat.example.org", true)]
    public void IsPublic_Address_TellsWhetherOthersReachIt(string url, bool expected) => Assert.Equal(expected, HostComposition.IsPublic(url));
}
