using ChannelBridge.Channels.Juji;
using ChannelBridge.Channels.Juji.Connector;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Tests.Unit.Juji;

/// <summary><c>.env</c> files as the community's script reads and writes them.</summary>
public sealed class EnvTests
{
    [Theory]
    [InlineData("A=1\nB=2\n", "B", "2")]
    [InlineData("A=1\r\nB=2\r\n", "A", "1")]
    [InlineData("  A  =  \"x y\"  \n", "A", "x y")]
    [InlineData("A='x'", "A", "x")]
    [InlineData("A=1\nA=2\n", "A", "1")]
    [InlineData("export A=1\n", "A", null)]
    [InlineData("AB=1\n", "A", null)]
    [InlineData("#A=1\n", "A", null)]
    [InlineData("A=\nB=secret\n", "A", null)]
    [InlineData("A=x=y # z\n", "A", "x=y # z")]
    [InlineData("\ufeffA=1\n", "A", null)]
    [InlineData("A 1\n", "A", null)]
    public void Read_AsTheScriptDoes(string text, string key, string? value) => Assert.Equal(value, EnvText.Read(text, key));

    [Fact]
    public void Write_SortsAndKeepsOtherKeys()
    {
        var text = EnvText.Write("# a comment\nZ_1 = \"q\"\nlower=1\nB=old\nB=older\n", new Dictionary<string, string> { ["B"] = "new", ["A"] = "first" });
        Assert.Equal("A=first\nB=new\nZ_1=\"q\"\n", text);
    }

    [Fact]
    public void ALongLine_IsReadInATimeThatGrowsWithItsLength()
    {
        var text = "X=" + new string(' ', 1_000_000) + "y" + new string(' ', 1_000_000) + "z\nA=1\n";
        Assert.Equal("1", EnvText.Read(text, "A"));
        Assert.Contains("A=2\n", EnvText.Write(text, new Dictionary<string, string> { ["A"] = "2" }), StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsWritten_IsReadAgain() => Prop.ForAll(
        (from key in Gen.Elements("A", "B_1", "JUJI_X", "Z9")
         from value in Gen.Elements("1", "x=y", "\"quoted\"", "a b", "'s'")
         select (Key: key, Value: value)).ListOf().ToArbitrary(),
        Gen.Elements("0123abc", "token-7", "a=b").ToArbitrary(),
        (lines, value) =>
        {
            var before = string.Concat(lines.Select(static line => $" {line.Key} = {line.Value} \r\n"));
            var text = EnvText.Write(before, new Dictionary<string, string> { ["B_1"] = value });
            // Of several lines of one key the script keeps the last when it writes and takes the first when it reads.
            var last = lines.GroupBy(static line => line.Key).ToDictionary(static same => same.Key, static same => EnvText.Read($"{same.Key}={same.Last().Value}", same.Key));
            last["B_1"] = value;
            return last.All(pair => EnvText.Read(text, pair.Key) == pair.Value) && EnvText.Write(text, new Dictionary<string, string>()) == text;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Save_ReplacesInOneStep_AndNeverThroughALink()
    {
        var folder = Scratch.NewFolder("cbenv");
        var path = Path.Combine(folder, "new", ".env");
        var file = new EnvFile(path);
        file.Save(new Dictionary<string, string> { ["A"] = "1" });
        Assert.Equal("A=1\n", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(Path.GetDirectoryName(path)!));
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Throws<Abstractions.Errors.BridgeException>(() => file.Save(new Dictionary<string, string> { ["A"] = "x\nB=2" }));
        var link = Path.Combine(folder, "link");
        File.CreateSymbolicLink(link, path);
        Assert.Throws<Abstractions.Errors.BridgeException>(() => new EnvFile(link).Save(new Dictionary<string, string> { ["A"] = "2" }));
        Assert.Equal("A=1\n", File.ReadAllText(path));
    }

    [Fact]
    public void Variables_TheEnvironmentGoesBeforeTheFiles_AndTheFilesInTheirOrder()
    {
        var folder = Scratch.NewFolder("cbenv");
        File.WriteAllText(Path.Combine(folder, "own"), "A=own\nB=own\n");
        File.WriteAllText(Path.Combine(folder, "further"), "B=further\nC=further\nJUJI_SKILL_WS_HEARTBEAT_SEC=0\nJUJI_SKILL_WS_BACKOFF_MAX_SEC=0.5\n");
        var variables = new SkillVariables(
            new EnvFile(Path.Combine(folder, "own")), new EnvFile(Path.Combine(folder, "further")), static name => name == "A" ? "environment" : name == "B" ? "" : null);
        Assert.Equal(("environment", "own", "further", null), (variables.Get("A"), variables.Get("B"), variables.Get("C"), variables.Get("D")));
        Assert.Equal(0, variables.HeartbeatSecondsOrDefault());
        Assert.Equal(1, variables.BackoffMaxSecondsOrNull());
        Assert.Equal(25, SkillVariables.OfFile(Path.Combine(folder, "none")).HeartbeatSecondsOrDefault());
    }

    [Fact]
    public void Settings_ThatMakeNoSense_AreNamed()
    {
        var options = new JujiOptions { BaseUrl = "ftp://x" };
        options.Accounts["a"] = new JujiAccountOptions();
        options.Accounts["b"] = new JujiAccountOptions();
        options.Accounts["c d"] = new JujiAccountOptions { EnvFile = "/x" };
        options.Accounts["a"].Routes["1"] = new JujiRouteOptions { To = "juji:7" };
        options.Accounts["a"].Routes["2"] = new JujiRouteOptions { To = "drop", Answer = "bncr:qq:1:2" };
        options.Accounts["a"].Routes["3"] = new JujiRouteOptions { To = "openclaw:agent:main:main" };
        var faults = new JujiOptionsValidator().Validate(Options.DefaultName, options).Failures!.Select(static fault => fault.Split(": ")[0]).Order(StringComparer.Ordinal);
        Assert.Equal(
            ["Channels:Juji:Accounts:a:Routes:1:To", "Channels:Juji:Accounts:a:Routes:2:Answer", "Channels:Juji:Accounts:a:Routes:3:To",
                "Channels:Juji:Accounts:b:EnvFile", "Channels:Juji:Accounts:c d",
                "Channels:Juji:BaseUrl"],
            faults);
    }
}
