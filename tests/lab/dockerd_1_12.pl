#!/usr/bin/perl
# Stand-in for the dockerd of docker-engine 1.12.6: a newer dockerd behind the old one's command line.
# It takes --disable-legacy-registry, checks it and drops it, and refuses what 1.12.6 did not know. It stays
# the parent of the real daemon and owns the pid file, so the daemon's command line is the one it was given.
use strict;
use warnings;

my $REAL    = '/usr/lib/docker-engine-stand-in/dockerd';
my $PIDFILE = '/var/run/docker.pid';
my $CONFIG  = '/etc/docker/daemon.json';
my %LATER   = map { $_ => 1 } qw(data-root default-shm-size default-address-pool default-address-pools
  default-cgroupns-mode default-ipc-mode default-runtime-config features host-gateway-ip
  init network-control-plane-mtu no-new-privileges node-generic-resource shutdown-timeout experimental);
my @LATER_KEYS = (qw(default-ulimits), grep { $_ ne 'default-address-pool' } sort keys %LATER);

sub refuse { my ($code, $text) = @_; print STDERR "$text\n"; exit $code; }

my @kept;
for my $word (@ARGV) {
    if ($word eq '--version' || $word eq '-v') {
        print "Docker version 1.12.6, build stand-in\n";
        exit 0;
    }
    if ($word =~ /^--disable-legacy-registry(?:=(.*))?$/s) {
        refuse(125, "invalid argument \"$1\" for --disable-legacy-registry: invalid boolean value")
          if defined $1 && $1 !~ /^(?:true|false|1|0|t|f)$/i;
        next;
    }
    refuse(125, "unknown flag: --$1\nSee 'dockerd --help'.") if $word =~ /^--([a-z-]+)/ && $LATER{$1};
    push @kept, $word;
}
if (open my $file, '<', $CONFIG) {
    my $text = do { local $/; <$file> };
    my @unknown = grep { $text =~ /"\Q$_\E"\s*:/ } @LATER_KEYS;
    refuse(1, "unable to configure the Docker daemon with file $CONFIG: the following directives don't"
          . " match any configuration option: " . join(', ', @unknown)) if @unknown;
}

my $pid = fork() // refuse(1, "cannot fork: $!");
if ($pid == 0) {
    $ENV{LISTEN_PID} = $$ if $ENV{LISTEN_PID};    # the sockets systemd opened are for the real daemon
    exec {$REAL} 'dockerd', "--pidfile=$PIDFILE.real", @kept or refuse(1, "cannot run $REAL: $!");
}
for my $name (qw(TERM INT HUP USR1)) { $SIG{$name} = sub { kill $name, $pid }; }
if (open my $file, '>', $PIDFILE) { print $file $$; close $file; }
while (waitpid($pid, 0) == -1) { last unless $!{EINTR}; }
my $status = $?;
unlink $PIDFILE;
exit($status & 127 ? 128 + ($status & 127) : $status >> 8);
