using System.IO.Compression;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Packages;

namespace ChannelBridge.Tests.Plugins;

public sealed class PackageTests
{
    private const string Manifest = """{"id":"pack","version":"1.0.0","protocol":1,"channels":[{"id":"pack"}],"run":{"command":["./run.sh"]}}""";

    [Fact]
    public async Task SameFolder_GivesTheSameBytes_AndComesBackWhole()
    {
        var folder = Folder();
        var first = await PackAsync(folder);
        File.SetLastWriteTimeUtc(Path.Combine(folder, "run.sh"), new DateTime(2020, 2, 3, 4, 5, 6, DateTimeKind.Utc));
        Assert.Equal(first, await PackAsync(folder));
        var target = Scratch.NewFolder("unpacked");
        await PluginPackage.UnpackAsync(new MemoryStream(first), target);
        Assert.Equal("pack", ManifestReader.ReadFolder(target).Id);
        Assert.Equal("a", await File.ReadAllTextAsync(Path.Combine(target, "deep", "er", "a.txt")));
        if (!OperatingSystem.IsWindows())
            Assert.True((File.GetUnixFileMode(Path.Combine(target, "run.sh")) & UnixFileMode.UserExecute) != 0);
    }

    [Theory]
    [InlineData("../outside")]
    [InlineData("a/../../outside")]
    [InlineData("/etc/outside")]
    [InlineData("a//b")]
    [InlineData("a\\..\\b")]
    [InlineData("C:/b")]
    [InlineData("a/./b")]
    [InlineData("nul.txt")]
    [InlineData("dot./b")]
    [InlineData("new\nline")]
    [InlineData("RUN.sh")]
    [InlineData("__pycache__/run.pyc")]
    [InlineData("a/.git/hooks/x")]
    [InlineData("run.sh/inside")]
    [InlineData("Deep/other")]
    [InlineData("1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17")]
    public async Task NameThatLeadsAway_IsRefused_AndNothingIsOutside(string name)
    {
        var parent = Scratch.NewFolder("safe");
        var target = Path.Combine(parent, "target");
        Directory.CreateDirectory(target);
        var fault = await Assert.ThrowsAsync<ManifestException>(
            () => PluginPackage.UnpackAsync(Archive(("run.sh", "x", 0), ("deep/a", "x", 0), (name, "x", 0)), target));
        Assert.NotEmpty(fault.Faults[0].Message);
        Assert.Equal([target], Directory.GetFileSystemEntries(parent));
    }

    [Theory]
    [InlineData(0xA1FF)]
    [InlineData(0x61FF)]
    [InlineData(0x11FF)]
    public async Task LinkOrDevice_IsRefused(int mode) => Assert.Contains(
        "is a link or a device",
        (await Assert.ThrowsAsync<ManifestException>(
            () => PluginPackage.UnpackAsync(Archive(("a", "/etc/passwd", mode)), Scratch.NewFolder("link")))).Message,
        StringComparison.Ordinal);

    [Fact]
    public async Task ArchiveThatIsCutOff_OrTooMany_IsRefused()
    {
        var whole = await PackAsync(Folder());
        await Assert.ThrowsAsync<ManifestException>(
            () => PluginPackage.UnpackAsync(new MemoryStream(whole[..(whole.Length / 2)]), Scratch.NewFolder("cut")));
        var many = Enumerable.Range(0, PackageRules.MaxFiles + 1).Select(number => ($"f{number}", "", 0)).ToArray();
        Assert.Contains("at most", (await Assert.ThrowsAsync<ManifestException>(
            () => PluginPackage.UnpackAsync(Archive(many), Scratch.NewFolder("many")))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Size_IsWhatIsRead_NotWhatIsSaid()
    {
        var rules = new PackageRules();
        Assert.Null(rules.Count("a", PackageRules.MaxBytes));
        Assert.NotNull(rules.Count("b", 1));
    }

    [Fact]
    public async Task LinkInAFolder_IsRefused()
    {
        if (OperatingSystem.IsWindows()) return;
        var folder = Folder();
        File.CreateSymbolicLink(Path.Combine(folder, "deep", "link"), "/etc/passwd");
        await Assert.ThrowsAsync<ManifestException>(() => PackAsync(folder));
        await Assert.ThrowsAsync<ManifestException>(
            () => new PluginStore(Scratch.NewFolder("store")).InstallAsync(folder, new PluginInstallRules()));
    }

    [Fact]
    public async Task Store_InstallsUpdatesAndRemoves_AndLeavesNothing()
    {
        var data = Scratch.NewFolder("store");
        var store = new PluginStore(data);
        var package = Path.Combine(data, "p.cbplugin");
        await File.WriteAllBytesAsync(package, await PackAsync(Folder()));
        Assert.Equal("1.0.0", (await store.InstallAsync(package, new PluginInstallRules())).Manifest.Version);
        Assert.True(store.SetEnabled("pack", enabled: false));
        var newer = Folder("1.0.1");
        Assert.Equal("1.0.1", (await store.InstallAsync(newer, new PluginInstallRules())).Manifest.Version);
        Assert.False(store.IsEnabled("pack"));
        Assert.Equal(ErrorCodes.Conflict, (await Assert.ThrowsAsync<BridgeException>(() => store.InstallAsync(package, new PluginInstallRules()))).Code);
        Assert.Equal("1.0.0", (await store.InstallAsync(package, new PluginInstallRules { AllowOlder = true })).Manifest.Version);
        await Assert.ThrowsAsync<ManifestException>(() => store.InstallAsync(package, new PluginInstallRules { Taken = new HashSet<string> { "pack" } }));
        Assert.Equal(
            ErrorCodes.NotFound,
            (await Assert.ThrowsAsync<BridgeException>(() => store.InstallAsync(Path.Combine(data, "none"), new PluginInstallRules()))).Code);
        Assert.Equal(
            ["1.0.0", "state.json"],
            Directory.GetFileSystemEntries(Path.Combine(data, "plugins", "pack")).Select(Path.GetFileName).Order());
        Assert.Equal(["pack"], Directory.GetDirectories(Path.Combine(data, "plugins")).Select(Path.GetFileName));
        Assert.True(store.Remove("pack", withData: true));
        Assert.False(store.Remove("pack", withData: true));
        Assert.Empty(store.List((_, _) => { }));
        Assert.Null(store.Find("../pack"));
    }

    [Fact]
    public void FaultOfOne_LeavesTheOthers()
    {
        var data = Scratch.NewFolder("store");
        Directory.CreateDirectory(Path.Combine(data, "plugins", "broken", "1.0.0"));
        File.WriteAllText(Path.Combine(data, "plugins", "broken", "state.json"), """{"version":"1.0.0","enabled":true}""");
        var faults = new List<string>();
        Assert.Empty(new PluginStore(data).List((id, _) => faults.Add(id)));
        Assert.Equal(["broken"], faults);
    }

    [Theory]
    [InlineData("1.0.0", "1.0.1")]
    [InlineData("1.9.0", "1.10.0")]
    [InlineData("1.0.0-beta", "1.0.0")]
    [InlineData("1.0.0-beta.2", "1.0.0-beta.11")]
    [InlineData("1.0.0-alpha.1", "1.0.0-alpha.beta")]
    [InlineData("1.0.0-rc", "1.0.0-rc.1")]
    public void Versions_AreOrdered(string older, string newer)
    {
        Assert.True(PluginVersion.Compare(older, newer) < 0);
        Assert.True(PluginVersion.Compare(newer, older) > 0);
        Assert.Equal(0, PluginVersion.Compare(older, older));
    }

    private static string Folder(string version = "1.0.0")
    {
        var folder = Scratch.NewFolder("pack");
        File.WriteAllText(Path.Combine(folder, PluginManifest.FileName), Manifest.Replace("1.0.0", version, StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(folder, "run.sh"), "#!/bin/sh\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(Path.Combine(folder, "run.sh"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Directory.CreateDirectory(Path.Combine(folder, "deep", "er"));
        File.WriteAllText(Path.Combine(folder, "deep", "er", "a.txt"), "a");
        return folder;
    }

    private static async Task<byte[]> PackAsync(string folder)
    {
        using var package = new MemoryStream();
        await PluginPackage.PackAsync(folder, package);
        return package.ToArray();
    }

    private static MemoryStream Archive(params (string Name, string Text, int Mode)[] files)
    {
        var stream = new MemoryStream();
        using (var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, text, mode) in files)
            {
                var entry = archive.CreateEntry(name);
                entry.ExternalAttributes = mode << 16;
                using var writer = new StreamWriter(entry.Open());
                writer.Write(text);
            }
        }

        stream.Position = 0;
        return stream;
    }
}
