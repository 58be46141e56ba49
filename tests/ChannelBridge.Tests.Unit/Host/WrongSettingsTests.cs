using System.Diagnostics;
using System.Text;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Tests.Unit.Host;

/// <summary>
/// Settings don't fail open: what can't mean what was written stops the start and names its key; what names nothing is warned about. Nothing that is
/// wrong falls back to a default in silence.
/// </summary>
public sealed class WrongSettingsTests : IDisposable
{
    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("cbwrong");

    public void Dispose() => _data.Delete(recursive: true);

    [Theory]
    // Shapes: an array, an object, nothing or null where one value should be.
    [InlineData("""{"Channels":{"Bncr":{"DmPolicy":["disabled"]}}}""", "Channels:Bncr:DmPolicy: this key has one value, not a list")]
    [InlineData("""{"Channels":{"Bncr":{"DmPolicy":{"Mode":"disabled"}}}}""", "Channels:Bncr:DmPolicy: this key has one value, not keys of its own, such as 'Mode'")]
    [InlineData("""{"Channels":{"Bncr":{"DmPolicy":""}}}""", "Channels:Bncr:DmPolicy: the value is empty")]
    [InlineData("""{"Channels":{"Bncr":{"DmPolicy":null}}}""", "Channels:Bncr:DmPolicy: null is no value")]
    [InlineData("""{"Channels":{"Bncr":{"DmPolicy":true}}}""", "Channels:Bncr:DmPolicy: 'True' is not one of open, allowlist, disabled")]
    [InlineData("""{"Channels":{"Bncr":{"GroupPolicy":[]}}}""", "Channels:Bncr:GroupPolicy: the value is empty")]
    [InlineData("""{"Channels":{"Bncr":{"Accounts":{"Shop":{"DmPolicy":["open"]}}}}}""", "Channels:Bncr:Accounts:Shop:DmPolicy: this key has one value")]
    [InlineData("""{"Channels":{"Bncr":{"Accounts":[{"DmPolicy":"disabled"}]}}}""", "Channels:Bncr:Accounts: this is a section with keys of its own, not an array")]
    [InlineData("""{"Channels":{"Bncr":{"Accounts":"Shop"}}}""", "Channels:Bncr:Accounts: this is a section with keys of its own, not a value")]
    [InlineData("""{"Channels":{"Bncr":"off"}}""", "Channels:Bncr: this is a section with keys of its own, not a value")]
    [InlineData("""{"Channels":["Bncr"]}""", "Channels: this is a section with keys of its own, not an array")]
    [InlineData("""{"Limits":5}""", "Limits: this is a section with keys of its own, not a value")]
    [InlineData("""{"Limits":{"TurnTimeout":{"Seconds":5}}}""", "Limits:TurnTimeout: this key has one value")]
    [InlineData("""{"Limits":{"MaxConnections":[5]}}""", "Limits:MaxConnections: this key has one value, not a list")]
    [InlineData("""{"Limits":{"LimitLoopback":{}}}""", null)]
    // Lists: an object, or items that are none.
    [InlineData("""{"Channels":{"Bncr":{"AllowFrom":{"Bncr:qq:1":true}}}}""", "Channels:Bncr:AllowFrom: a list has no keys of its own")]
    [InlineData("""{"Channels":{"Bncr":{"AllowFrom":[["Bncr:qq:1"]]}}}""", "Channels:Bncr:AllowFrom:0: an item of a list is one text")]
    [InlineData("""{"Channels":{"Bncr":{"AllowFrom":[{"Id":"1"}]}}}""", "Channels:Bncr:AllowFrom:0: an item of a list is one text")]
    [InlineData("""{"Channels":{"Bncr":{"AllowFrom":[""]}}}""", "Channels:Bncr:AllowFrom:0: an item of a list is one text")]
    [InlineData("""{"Access":{"Tokens":{"shop":{"Token":"a-long-enough-token","Accounts":{"Shop":1}}}}}""", "Access:Tokens:shop:Accounts: a list has no keys of its own")]
    [InlineData("""{"Access":{"Tokens":{"shop":{"Token":"a-long-enough-token","Scopes":[]}}}}""", null)]
    [InlineData("""{"Access":{"Token":["a-long-enough-token"]}}""", "Access:Token: this key has one value, not a list")]
    [InlineData("""{"Access":{"Tokens":["a-long-enough-token"]}}""", "Access:Tokens: this is a section with keys of its own, not an array")]
    [InlineData("""{"Listen":{"Urls":{"First":"http://127.0.0.1:1"}}}""", "Listen:Urls: a list has no keys of its own")]
    [InlineData("""{"Listen":{"CertificateFile":["/a"]}}""", "Listen:CertificateFile: this key has one value")]
    [InlineData("""{"Listen":{"Addresses":{"a":"http://127.0.0.1:1"}}}""", "Listen:Addresses:a: this is a section with keys of its own")]
    // Types, units, ranges.
    [InlineData("""{"Limits":{"TurnTimeout":5}}""", "Limits:TurnTimeout: '5' is not a length of time")]
    [InlineData("""{"Limits":{"TurnTimeout":"-5m"}}""", "Limits:TurnTimeout: '-5m' is not a length of time")]
    [InlineData("""{"Limits":{"MaxPayloadBytes":"1e6"}}""", "Limits:MaxPayloadBytes: '1e6' is not a size")]
    [InlineData("""{"Limits":{"MaxConnections":1.5}}""", "Limits:MaxConnections: '1.5' is not a whole number")]
    [InlineData("""{"Limits":{"MaxConnections":"ten"}}""", "Limits:MaxConnections: 'ten' is not a whole number")]
    [InlineData("""{"Limits":{"MaxConnections":99999999999999999999}}""", "Limits:MaxConnections: '99999999999999999999' is not a whole number")]
    [InlineData("""{"Limits":{"LimitLoopback":"perhaps"}}""", "Limits:LimitLoopback: 'perhaps' is neither true nor false")]
    [InlineData("""{"Channels":{"Bncr":{"Enabled":"nope"}}}""", "Channels:Bncr:Enabled: 'nope' is neither true nor false")]
    [InlineData("""{"Channels":{"InstaClaw":{"Enabled":""}}}""", "Channels:InstaClaw:Enabled: the value is empty")]
    [InlineData("""{"Channels":{"InstaClaw":{"Delivery":{"Factor":"NaN"}}}}""", "Channels:InstaClaw:Delivery:Factor: NaN is not between 1 and 100")]
    [InlineData("""{"Telemetry":{"LogLevel":["Debug"]}}""", "Telemetry:LogLevel: this key has one value")]
    [InlineData("""{"Telemetry":{"LogLevel":"Loud"}}""", "Telemetry:LogLevel: 'Loud' is not one of")]
    [InlineData("""{"Store":{"Connection":["Host=db"]}}""", "Store:Connection: this key has one value")]
    [InlineData("""{"Store":{"SqliteEngine":"oracle"}}""", "Store:SqliteEngine: 'oracle' is not one of")]
    [InlineData("""{"Store":{"Data":"/elsewhere"}}""", "Store:Data: it can't stand in the data folder's own appsettings.json")]
    [InlineData("""{"Agents":{"local":{"Kind":"chat-completions","Url":["http://127.0.0.1:1"]}}}""", "Agents:local:Url: this key has one value")]
    // Times that must be less than others.
    [InlineData("""{"Limits":{"StopGrace":"30s"}}""", "Limits:StopGrace: 30s is not less than Listen:StopTimeout, 25s; example: 22500ms")]
    [InlineData("""{"Listen":{"StopTimeout":"5s"},"Limits":{"StopTimeout":"5s"}}""", "Limits:StopTimeout: 5s is not less than Listen:StopTimeout, 5s")]
    [InlineData("""{"Agents":{"openclaw":{"TurnTimeout":"20m"}}}""", "Agents:openclaw:TurnTimeout: 20m is not less than Limits:TurnTimeout, 10m")]
    [InlineData("""{"Agents":{"local":{"Kind":"responses","Url":"http://127.0.0.1:1","TurnTimeout":"10m"}}}""",
        "Agents:local:TurnTimeout: 10m is not less than Limits:TurnTimeout")]
    [InlineData("""{"Agents":{"local":{"Kind":"responses","Url":"http://127.0.0.1:1","TurnTimeout":"1m","IdleTimeout":"2m"}}}""",
        "Agents:local:IdleTimeout: 2m is not less than Agents:local:TurnTimeout")]
    [InlineData("""{"Channels":{"InstaClaw":{"WsUrl":"wss://claw.example.com/ws","HeartbeatInterval":"10s","TimeoutThreshold":"5s"}}}""",
        "Channels:InstaClaw:HeartbeatInterval: 10s is not less than Channels:InstaClaw:TimeoutThreshold, 5s")]
    // The file itself.
    [InlineData("""["Listen"]""", "the settings are an object with sections")]
    [InlineData("", "is not valid JSON (it is empty)")]
    [InlineData("""{"Limits":{"LaneWindow":5},"limits":{"lanewindow":6}}""", "limits:lanewindow: it stands twice")]
    public void Load_WrongSetting_StopsTheStartAndNamesIt(string json, string? expected)
    {
        var report = Inspect(json);
        if (expected is null)
        {
            Assert.Empty(report.Problems);
            return;
        }

        Assert.Contains(report.Problems, problem => problem.Contains(expected, StringComparison.Ordinal));
        Assert.All(report.Problems, problem => Assert.Contains("xample: ", problem, StringComparison.Ordinal));
        Assert.Equal(report.Problems.Count, report.Problems.Distinct().Count());
    }

    [Fact]
    public void Load_FortyWrongSettings_AreAllNamedAtOnce()
    {
        var file = new StringBuilder("{\"Limits\":{");
        var keys = SettingsCatalog.All.Where(setting => setting.Key.StartsWith("Limits:", StringComparison.Ordinal)).Take(40).Select(setting => setting.Key).Distinct().ToList();
        file.AppendJoin(',', keys.Select(key => $"\"{key["Limits:".Length..]}\":[1]")).Append("}}");
        var problems = Inspect(file.ToString()).Problems;
        Assert.True(keys.Count > 35);
        Assert.All(keys, key => Assert.Contains(problems, problem => problem.StartsWith(key + ": this key has one value", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("""{"Chanels":{"Bncr":{"DmPolicy":"disabled"}}}""", "Chanels: unknown section, ignored; did you mean Channels?")]
    [InlineData("""{"Channels":{"Bncer":{"DmPolicy":"disabled"}}}""", "Channels:Bncer: unknown section, ignored; did you mean Channels:Bncr:DmPolicy?")]
    [InlineData("""{"DmPolicy":"disabled"}""", "DmPolicy: unknown key, ignored")]
    [InlineData("""{"Channels":{"Bncr":{"Accounts":{"Shop":{"Polcy":"x"}}}}}""", "Channels:Bncr:Accounts:Shop:Polcy: unknown key, ignored")]
    [InlineData("""{"Listen":{"Addresses":{"a":{"Url":"http://127.0.0.1:1","Channels":"a2a","Chanels":"x"}}}}""", "Listen:Addresses:a:Chanels: unknown key, ignored")]
    [InlineData("""{"Limits":{"TurnTimeout":"5m"}}""", "Agents:openclaw:TurnTimeout: its default 570s is not less than Limits:TurnTimeout, 5m; set it, too")]
    public void Load_WhatNamesNothing_IsWarnedAboutWithItsPlace(string json, string expected)
    {
        var report = Inspect(json);
        Assert.Empty(report.Problems);
        var warning = Assert.Single(report.Warnings);
        Assert.StartsWith(expected, warning, StringComparison.Ordinal);
        if (warning.Contains("unknown", StringComparison.Ordinal)) Assert.EndsWith($"({Path.Combine(_data.FullName, "appsettings.json")})", warning, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("CHANNELBRIDGE_DATA", "the environment variable CHANNELBRIDGE_DATA names no setting, ignored; did you mean CHANNELBRIDGE__")]
    [InlineData("ChannelBridge_Token", "the environment variable ChannelBridge_Token names no setting")]
    [InlineData("CHANNELBRIDGELISTENURLS", "names no setting, ignored; did you mean CHANNELBRIDGE__LISTEN__URLS?")]
    [InlineData("CHANNELBRIDGE__LISTEN__URL", "LISTEN:URL: unknown key, ignored; did you mean Listen:Urls? (CHANNELBRIDGE__LISTEN__URL)")]
    [InlineData("CHANNELBRIDGE__FOO__BAR", "FOO: unknown section, ignored")]
    [InlineData("CHANNELBRIDGE__", "the environment variable CHANNELBRIDGE__ names no setting")]
    public void Load_VariableThatNamesNothing_IsWarnedAboutAndNeverShown(string name, string expected)
    {
        var report = Inspect("{}", (name, "hunter2-is-a-secret"));
        Assert.Contains(expected, Assert.Single(report.Warnings), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", report.Warnings[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Load_VariableThatAnAgentNames_IsNoWarning() =>
        Assert.Empty(Inspect(
            """{"Agents":{"local":{"Kind":"responses","Url":"http://127.0.0.1:1","KeyVariable":"CHANNELBRIDGE_MODEL_KEY"}}}""",
            ("CHANNELBRIDGE_MODEL_KEY", "x")).Warnings);

    /// <summary>Two lists that were mixed item by item would let in what neither of them says.</summary>
    [Fact]
    public void Load_ListsOfTwoPlaces_AreNeverMixed()
    {
        var report = Inspect(
            """{"Channels":{"Bncr":{"DmPolicy":"allowlist","AllowFrom":["Bncr:qq:1","Bncr:qq:2"]}}}""", ("CHANNELBRIDGE__CHANNELS__BNCR__ALLOWFROM__0", "Bncr:qq:3"));
        Assert.Equal(["Bncr:qq:3"], report.Settings!.Bncr().AllowFrom);
        Assert.Equal(["Bncr:qq:4"], Inspect(
            """{"Channels":{"Bncr":{"AllowFrom":["Bncr:qq:1","Bncr:qq:2"]}}}""", ("CHANNELBRIDGE__CHANNELS__BNCR__ALLOWFROM", "Bncr:qq:4")).Settings!.Bncr().AllowFrom);
    }

    /// <summary>An empty list lets nobody in; the channel's longer one must not take its place.</summary>
    [Fact]
    public void Load_EmptyListOfAnAccount_StaysEmpty()
    {
        var options = Inspect(
            """{"Channels":{"Bncr":{"DmPolicy":"allowlist","AllowFrom":["Bncr:qq:1"],"Accounts":{"Shop":{"AllowFrom":[]}}}}}""").Settings!.Bncr();
        Assert.Equal([], options.Accounts["shop"].AllowFrom!);
    }

    [Fact]
    public void Load_ThousandsOfUnknownKeys_TakesNoLongerThanAMoment()
    {
        var file = new StringBuilder("{\"Junk\":1");
        for (var i = 0; i < 60_000; i++) file.Append(System.Globalization.CultureInfo.InvariantCulture, $",\"J{i}\":{{\"k\":\"v\"}}");
        var watch = Stopwatch.StartNew();
        var report = Inspect(file.Append('}').ToString());
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20));
        Assert.InRange(report.Warnings.Count, 2, 100);
        Assert.Contains(report.Warnings, warning => warning.EndsWith("more unknown keys, ignored", StringComparison.Ordinal));
    }

    [Fact]
    public void Load_FileThatIsAPipeOrTooLarge_IsRefusedAtOnce()
    {
        var path = Path.Combine(_data.FullName, "appsettings.json");
        File.WriteAllText(path, "{}" + new string(' ', 5 << 20));
        Assert.Contains("4 MiB at most", Inspect(null).Problems.Single(), StringComparison.Ordinal);
        if (!OperatingSystem.IsLinux()) return;
        File.Delete(path);
        using var made = Process.Start("mkfifo", [path]);
        made.WaitForExit();
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Assert.Contains("a settings file is a regular file", Inspect(null).Problems.Single(), StringComparison.Ordinal);
    }

    [Fact]
    public void Show_EverySetting_HasItsValueAndItsPlaceAndNoSecret()
    {
        var report = Inspect(
            """
            {"Limits":{"LaneWindow":7},"Access":{"Token":"a-long-enough-token","Tokens":{"shop":{"Token":"another-long-secret"}}},
             "Store":{"Connection":"Host=db;Password=hunter2"},"Telemetry":{"Otlp":"http://127.0.0.1:4318/?key=hunter2"},
             "Agents":{"local":{"Kind":"responses","Url":"http://user:hunter2@127.0.0.1:1"}},"Odd":{"Password":"hunter2"},
             "Channels":{"Bncr":{"AllowFrom":["Bncr:qq:1","Bncr:qq:2"]}}}
            """,
            ("CHANNELBRIDGE__LIMITS__ACTIVELANES", "99"), ("INSTACLAW_WS_URL", "wss://claw.example.com/ws"));
        var lines = SettingsView.Lines(report.Merged, SettingsCatalog.Index).ToList();
        var file = Path.Combine(_data.FullName, "appsettings.json");
        Assert.Contains(lines, line => line is { Key: "Limits:LaneWindow", Value: "7", Source: "file" } && line.Place == file);
        Assert.Contains(lines, line => line is { Key: "LIMITS:ACTIVELANES", Value: "99", Source: "environment", Place: "CHANNELBRIDGE__LIMITS__ACTIVELANES" });
        Assert.Contains(lines, line => line is { Key: "Channels:InstaClaw:WsUrl", Source: "environment", Place: "INSTACLAW_WS_URL" });
        Assert.Contains(lines, line => line is { Key: "Limits:IdleLanes", Source: "default", Place: "" });
        Assert.Contains(lines, line => line is { Key: "Store:Data", Source: "command line" });
        Assert.Contains(lines, line => line is { Key: "Channels:Bncr:AllowFrom", Value: "Bncr:qq:1, Bncr:qq:2" });
        Assert.Contains(lines, line => line is { Key: "Agents:local:IdleTimeout", Value: "1m", Source: "default" });
        Assert.Contains(lines, line => line is { Key: "Access:Token", Value: "(set, not shown)" });
        Assert.Contains(lines, line => line is { Key: "Odd:Password", Setting: null });
        Assert.DoesNotContain(lines, line => line.Value.Contains("hunter2", StringComparison.Ordinal) || line.Value.Contains("secret", StringComparison.Ordinal));

        // Every setting without a name in its key is there once.
        foreach (var setting in SettingsCatalog.All.Where(setting => !setting.Key.Contains('<', StringComparison.Ordinal)))
            Assert.Single(lines, line => string.Equals(line.Key, setting.Key, StringComparison.OrdinalIgnoreCase));
    }

    private SettingsReport Inspect(string? json, params (string Name, string Value)[] environment)
    {
        if (json is not null) File.WriteAllText(Path.Combine(_data.FullName, "appsettings.json"), json);
        return SettingsLoader.Inspect(
            new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase) { ["Store:Data"] = _data.FullName },
            "/nowhere",
            environment.ToDictionary(pair => pair.Name, pair => pair.Value));
    }
}
